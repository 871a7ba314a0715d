import type { z } from "zod";
import { CURSORS } from "../contract/accept.ts";
import { type Operation, PATH_PARAMETERS, pathParameters } from "../contract/operations.ts";
import { done, type Outcome, type Refused, refuse } from "../core/faults.ts";
import { ID_PREFIXES, isId } from "../core/ids.ts";

export interface RawRequest {
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

export interface ParsedRequest {
  readonly path: Readonly<Record<string, string>>;
  readonly query: Record<string, unknown>;
  readonly headers: Record<string, unknown>;
  readonly body: Record<string, unknown>;
}

const NOTHING: Record<string, unknown> = {};

/** Checks one call against its row of the operations table: syntax first, then ids in the path, which are a 404. */
export function requestParser(operation: Operation): (raw: RawRequest) => Outcome<ParsedRequest> {
  const names = pathParameters(operation.path);
  const headersOf = partParser(operation.headers);
  const queryOf = partParser(operation.query);
  const bodyOf = partParser(operation.body);
  const isList = operation.query?.shape.after_id !== undefined;
  return (raw) => {
    const headers = headersOf(raw.headers);
    if (headers.refused) return headers;
    const query = queryOf(withPlainNames(raw.query));
    if (query.refused) return query;
    const twoCursors = isList ? conflictingCursors(query.value) : undefined;
    if (twoCursors !== undefined) return twoCursors;
    const body = bodyOf(raw.body === undefined ? NOTHING : raw.body);
    if (body.refused) return body;
    for (const name of names) {
      const kind = PATH_PARAMETERS[name];
      if (kind !== undefined && !isId(kind, raw.path[name])) {
        return refuse(
          "not_found",
          `No such ${kind}: an id begins with ${ID_PREFIXES[kind]} followed by 32 hex digits.`,
        );
      }
    }
    return done({ path: raw.path, headers: headers.value, query: query.value, body: body.value });
  };
}

/** Many clients write a list as `types[]=a&types[]=b`; ignoring that would ignore their filter without a word. */
function withPlainNames(query: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  let plain: Record<string, unknown> | undefined;
  for (const name in query) {
    if (!name.endsWith("[]")) continue;
    const bare = name.slice(0, -2);
    plain ??= { ...query };
    plain[bare] = [plain[bare] ?? [], query[name]].flat();
  }
  return plain ?? query;
}

const PASSED_EMPTY = done(NOTHING);

/** Checks one part of a request. Most requests leave out everything that they may, which needs no look at the schema. */
function partParser(schema: z.ZodObject | undefined): (value: unknown) => Outcome<Record<string, unknown>> {
  if (schema === undefined) return () => PASSED_EMPTY;
  const names = Object.keys(schema.shape);
  const mayBeEmpty = isEmptyObject(schema.safeParse(NOTHING).data);
  return (value) => {
    if (mayBeEmpty && isObject(value) && names.every((name) => value[name] === undefined)) return PASSED_EMPTY;
    const result = schema.safeParse(value);
    return result.success ? done(result.data) : invalid(result.error.issues, value);
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isEmptyObject(value: Record<string, unknown> | undefined): boolean {
  return value !== undefined && Object.keys(value).length === 0;
}

/**
 * The first of the issues as a 400 that names its parameter.
 *
 * @param within the parameter that `value` itself is, when it is not the whole of a request part
 */
export function invalid(issues: readonly z.core.$ZodIssue[], value: unknown, within?: string): Refused {
  const issue = issues[0];
  const path = issue?.path ?? [];
  const param = parameterName(within === undefined ? path : [within, ...path]);
  if (param === "") return refuse("invalid_request", "The body must be a JSON object.");
  const problem = sentence(issue?.message);
  const missing = valueAt(value, path) === undefined && problem.startsWith("must");
  return refuse("invalid_request", `${param} ${missing ? `is required and ${problem}` : problem}`, param);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value;
  for (const key of path) at = (at as Record<PropertyKey, unknown> | null | undefined)?.[key];
  return at;
}

const HEADER_NAMES: Readonly<Record<string, string>> = {
  "worker-id": "Worker-ID",
  "last-event-id": "Last-Event-ID",
  "idempotency-key": "Idempotency-Key",
};

/** `metadata` as a whole, `events[2].content`, `config.queue.max_attempts`. */
function parameterName(path: readonly PropertyKey[]): string {
  const first = String(path[0] ?? "");
  if (first === "metadata") return first;
  let name = HEADER_NAMES[first] ?? first;
  for (const key of path.slice(1)) name += typeof key === "number" ? `[${key}]` : `.${String(key)}`;
  return name;
}

function sentence(message = "is not valid"): string {
  const text = /^(must|may|is|values|keys|only|has) /.test(message) ? message : `is not valid: ${message}`;
  return text.endsWith(".") ? text : `${text}.`;
}

function conflictingCursors(query: Record<string, unknown>): Refused | undefined {
  const given = CURSORS.filter((name) => query[name] !== undefined);
  const [first, second] = given;
  if (first === undefined || second === undefined) return undefined;
  return refuse("invalid_request", `${second} excludes ${first}: give one of ${CURSORS.join(", ")}.`, second);
}
