import { FAULTS } from "../../core/faults.ts";
import { ID_PREFIXES } from "../../core/ids.ts";
import { METADATA_LIMITS } from "../../core/metadata.ts";
import { LIMITS } from "../limits.ts";
import { openApiDocument } from "../openapi.ts";
import {
  BASE_PATH,
  type CallerRole,
  OPERATION_NAMES,
  OPERATIONS,
  type Operation,
  type OperationName,
} from "../operations.ts";
import { eventTypes } from "./events.ts";
import { type Field, fieldsOf, type Schema, typeText } from "./fields.ts";

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly description?: string;
  readonly schema: Schema;
}

interface Described {
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: { readonly "application/json": { readonly schema: Schema } } };
  readonly responses: { readonly "200": { readonly content: Readonly<Record<string, { readonly schema: Schema }>> } };
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** Under which heading an operation stands: the first that fits its path. */
const CHAPTERS: readonly { readonly title: string; readonly holds: (path: string) => boolean }[] = [
  { title: "Work", holds: (path) => path.includes("/work") },
  { title: "Environments", holds: (path) => path.startsWith("/environments") },
  { title: "Events", holds: (path) => path.includes("/events") },
  { title: "Sessions", holds: (path) => path.startsWith("/sessions") },
  { title: "Agents", holds: (path) => path.startsWith("/agents") },
  { title: "Tokens", holds: (path) => path.startsWith("/tokens") },
];

const ROLE_NAMES: Readonly<Record<CallerRole, string>> = {
  admin: "`admin`",
  client: "`client`",
  worker: "`worker`",
  hand_out: "`Work-Token`",
};

/** Every call of the API as a page of Markdown. */
export function apiReference(): string {
  const document = openApiDocument("") as unknown as Document;
  const chapters = CHAPTERS.map(({ title }, index) => {
    const names = OPERATION_NAMES.filter((name) => chapterOf(OPERATIONS[name].path) === index);
    const types = title === "Events" ? `\n\n${eventTypes()}` : "";
    return `## ${title}\n\n${names.map((name) => operationText(name, document)).join("\n\n")}${types}`;
  });
  const objects = Object.entries(document.components.schemas).map(
    ([name, schema]) => `### ${name}\n\n${fieldTable(fieldsOf(schema))}`,
  );
  return `${conventions()}\n${chapters.join("\n\n")}\n\n## Objects\n\n${objects.join("\n\n")}\n`;
}

function chapterOf(path: string): number {
  const index = CHAPTERS.findIndex(({ holds }) => holds(path));
  if (index < 0) throw new Error(`${path} belongs to no chapter of the API reference`);
  return index;
}

function conventions(): string {
  const prefixes = Object.values(ID_PREFIXES).map((prefix) => `\`${prefix}\``);
  return `# API reference

The same as a machine-readable document: \`GET /openapi.json\`. How the calls play together: [sessions](sessions.md),
[writing a worker](worker-protocol.md). What can go wrong: [errors](errors.md).

- **Base path** \`${BASE_PATH}\`. JSON in UTF-8, whatever the content type says. Bodies hold at most
  ${LIMITS.bodyBytes / 1_048_576} MB and ${LIMITS.bodyValues} values; keys that are not named here are ignored.
- **Access** \`Authorization: Bearer …\` with a token of a role that is listed at the call. A \`worker\` token reaches only
  its own environment; a \`Work-Token\`, which comes as a header with each delivered item, reaches only that item and the
  session of it, and only until the hand-out is over.
- **Ids** ${prefixes.join(", ")} and 32 lower-case hex digits, whose text order is the order of creation.
- **Times** RFC 3339 in UTC with microseconds: \`2026-07-01T08:16:06.120394Z\`.
- **Metadata** a flat object of strings: at most ${METADATA_LIMITS.keys} keys of 1–${METADATA_LIMITS.keyCharacters} characters, values of at most
  ${METADATA_LIMITS.valueCharacters}. An update merges: a string sets a key, \`null\` removes it, all others stay.
- **Lists** answer \`{"data", "first_id", "last_id", "has_more", "next_page"}\`. \`page\` takes the \`next_page\` of the page
  before; \`after_id\` and \`before_id\` take ids. One of the three at a time.
- **Numbers in a query** are written canonically (\`5\`, not \`+5\`, \`5.0\` or \`05\`) and once; unknown names are ignored.
- **Every answer** carries \`x-request-id\`: the caller's own, if it sent a printable one of at most
  ${LIMITS.requestIdCharacters} characters, else a new one. The server's log names it.

Calls marked **extension** are Capstan's own. They add to the published API and change the meaning of none of its calls.
`;
}

function operationText(name: OperationName, document: Document): string {
  const operation: Operation = OPERATIONS[name];
  const path = BASE_PATH + operation.path;
  const described = document.paths[path]?.[operation.method.toLowerCase()];
  if (described === undefined) throw new Error(`${name} is not in the OpenAPI document`);
  const errors = operation.errors.map((kind) => `[${FAULTS[kind].status} \`${kind}\`](errors.md#${kind})`);
  const body = described.requestBody?.content["application/json"].schema;
  const [[, answer] = []] = Object.entries(described.responses["200"].content);
  const parts = [
    `### ${name}`,
    `\`${operation.method} ${path}\`${operation.extension ? " · **extension**" : ""}`,
    `${operation.summary}.`,
    `Roles: ${(["admin", ...operation.roles] as const).map((role) => ROLE_NAMES[role]).join(", ")} · Answer: ${answerText(answer?.schema ?? {}, operation)} · Errors: ${errors.join(", ")}`,
    parameterTable(described.parameters.filter((parameter) => parameter.in !== "path")),
    body === undefined ? "" : `Body:\n\n${fieldTable(fieldsOf(body))}`,
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function answerText(schema: Schema, operation: Operation): string {
  if (operation.stream) return `server-sent events, each an ${typeText(schema)}`;
  const { data, id, type } = schema.properties ?? {};
  if (data?.items !== undefined)
    return `${schema.properties?.has_more ? "a list" : "`data`: an array"} of ${typeText(data.items)}`;
  if (id !== undefined && typeof type?.const === "string") return `\`{"id", "type": "${type.const}"}\``;
  return typeText(schema);
}

function parameterTable(parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return "";
  const rows = parameters.map(
    ({ name, in: place, schema, description = "" }) =>
      `| \`${place === "header" ? headerName(name) : name}\` | ${place} | ${typeText(schema)} | ${description} |`,
  );
  return `| Parameter | In | Type | |\n| --- | --- | --- | --- |\n${rows.join("\n")}`;
}

function fieldTable(fields: readonly Field[]): string {
  const rows = fields.map(
    ({ name, type, required, description }) =>
      `| \`${name}\` | ${type}${required ? "" : ", optional"} | ${description.replace(/^RFC 3339.*$/, "")} |`,
  );
  return `| Field | Type | |\n| --- | --- | --- |\n${rows.join("\n")}`;
}

/** `worker-id` as people write it. */
const headerName = (name: string): string =>
  name
    .split("-")
    .map((word) => (word === "id" ? "ID" : word.charAt(0).toUpperCase() + word.slice(1)))
    .join("-");
