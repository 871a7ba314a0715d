import { z } from "zod";
import type { SettingsFor } from "../../config/resolve.ts";
import { choice, wholeNumber } from "../../config/schemas.ts";
import { LIMITS } from "../../contract/limits.ts";
import type { List } from "../../contract/shapes.ts";
import { ID_PREFIXES, type IdKind, isId } from "../../core/ids.ts";
import { METADATA_LIMITS } from "../../core/metadata.ts";
import { connect, findEnvironment } from "../connection.ts";
import { CommandError, type ExitName } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { paint } from "../output/colour.ts";

/** How a call to the server may fail, besides `failed` and `usage`. */
export const CALL_EXITS = [
  "unreachable",
  "unauthenticated",
  "forbidden",
  "not_found",
  "conflict",
  "busy",
] as const satisfies readonly ExitName[];

export const JSON_OPTION = {
  json: { kind: "switch", flags: "--json", summary: "Print exactly what the API answers, as JSON." },
} as const;

/** Most records that one call of a list command fetches; `--page` goes on from there. */
const LIST_MAX = 10_000;

/** @param kind of the records that are listed */
export const listOptions = (kind: IdKind) => ({
  ...JSON_OPTION,
  limit: {
    kind: "value" as const,
    flags: "--limit <count>",
    summary: `Records to show, 1 to ${LIST_MAX}; default ${LIMITS.page.default}.`,
    schema: wholeNumber(1, LIST_MAX),
    default: String(LIMITS.page.default),
  },
  page: {
    kind: "value" as const,
    flags: "--page <id>",
    summary: "Go on after this record, the `next_page` of the list before.",
    schema: z
      .string()
      .refine((text) => isId(kind, text))
      .meta({ description: `the next_page of a list, ${ID_PREFIXES[kind]} followed by 32 hex digits` }),
  },
});

/** Of a list whose records can be archived. */
export const ARCHIVED_OPTION = {
  archived: { kind: "switch", flags: "--include-archived", summary: "Show archived ones too." },
} as const;

const EXAMPLE_DIGITS = "01981f3a9c2e7b1c8d4e5f60718293a4";

export const idArgument = <const Name extends string>(kind: IdKind, name: Name, summary: string) => ({
  usage: `<${name}>` as const,
  summary,
  schema: z
    .string()
    .refine((text) => isId(kind, text))
    .meta({
      description: `an id: ${ID_PREFIXES[kind]} followed by 32 hex digits, such as ${ID_PREFIXES[kind]}${EXAMPLE_DIGITS}`,
      idKind: kind,
    }),
});

export const AGENT_OPTION = {
  agent: {
    kind: "value",
    flags: "--agent <id>",
    summary: "Agent that the session begins with; a version of it is written behind an @.",
    schema: z
      .string()
      .transform((text, context) => {
        const [id = "", version, more] = text.split("@");
        const number = version === undefined ? undefined : wholeNumber(1, Number.MAX_SAFE_INTEGER).safeParse(version);
        if (isId("agent", id) && more === undefined && number?.success !== false) {
          return number === undefined ? id : { type: "agent" as const, id, version: number.data };
        }
        context.addIssue({ code: "custom", message: "names no agent" });
        return z.NEVER;
      })
      .meta({ description: "the id of an agent, such as agent_… or agent_…@2", idKind: "agent" }),
  },
} as const;

export const METADATA_OPTION = {
  metadata: {
    kind: "values",
    flags: "--metadata <key=value>",
    summary: `Metadata, up to ${METADATA_LIMITS.keys} times.`,
    schema: z
      .string()
      .regex(/^[^=]+=/)
      .transform((text): readonly [string, string] => [
        text.slice(0, text.indexOf("=")),
        text.slice(text.indexOf("=") + 1),
      ])
      .meta({ description: "key=value" }),
  },
} as const;

export const metadataOf = (pairs: readonly (readonly [string, string])[]): Record<string, string> | undefined =>
  pairs.length === 0 ? undefined : Object.fromEntries(pairs);

export const userMessage = (text: string) => ({ type: "user.message", content: [{ type: "text", text }] });

/** The client, and the environment to work in. */
export async function connectToQueue(settings: SettingsFor<"queue">) {
  const { client, connection } = connect(settings);
  return { client, connection, environmentId: await findEnvironment(settings, client, connection) };
}

interface PageQuery {
  readonly limit: number;
  readonly page: string | undefined;
}

/** One list of up to `limit` records, however many pages of the API that takes. */
export async function fetchList<T>(
  { limit, page }: { readonly limit: number; readonly page: string | undefined },
  fetchPage: (query: PageQuery) => Promise<List<T>>,
): Promise<List<T>> {
  const size = Math.min(limit, LIMITS.page.max);
  const list = await fetchPage({ limit: size, page });
  while (list.data.length < limit && list.next_page !== null) {
    const next = await fetchPage({ limit: Math.min(size, limit - list.data.length), page: list.next_page });
    list.data.push(...next.data);
    list.last_id = next.last_id ?? list.last_id;
    list.has_more = next.has_more;
    list.next_page = next.next_page;
  }
  return list;
}

/** A list for programs or for people. `emptyHint` is about a list that is empty from its first record on. */
export function showList<T>(
  io: Io,
  options: { readonly json: boolean; readonly page: string | undefined },
  list: List<T>,
  table: (io: Io, rows: readonly T[]) => string,
  emptyHint: string,
): ExitName {
  if (options.json) return showJson(io, list);
  if (list.data.length === 0)
    io.err.write(options.page === undefined ? `${emptyHint}\n` : `The list has nothing after ${options.page}.\n`);
  else io.out.write(table(io, list.data));
  if (list.next_page !== null)
    io.err.write(`${paint(io.err, "dim", `There are more: add --page ${list.next_page}`)}\n`);
  return "ok";
}

/** One thing for programs or for people. */
export function showOne<T>(
  io: Io,
  options: { readonly json: boolean },
  one: T,
  view: (io: Io, one: T) => string,
): ExitName {
  if (options.json) return showJson(io, one);
  io.out.write(view(io, one));
  return "ok";
}

export function showJson(io: Io, value: unknown): ExitName {
  io.out.write(`${JSON.stringify(value, null, 2)}\n`);
  return "ok";
}

/** A text from the command line, or from standard input when it is a dash. */
export async function readText(argument: string, what: string): Promise<string> {
  let text = argument;
  if (argument === "-") {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > LIMITS.bodyBytes)
        throw new CommandError("usage", `${what} must be at most ${LIMITS.bodyBytes} bytes.`);
      chunks.push(chunk);
    }
    text = Buffer.concat(chunks).toString("utf8");
  }
  if (text.trim() !== "") return text;
  throw new CommandError(
    "usage",
    `${what} must not be empty.`,
    "Write it in quotes, or pipe it in and write - instead.",
  );
}

export const roleChoice = choice(["admin", "client", "worker"]);
