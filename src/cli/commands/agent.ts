import { readFileSync } from "node:fs";
import type { OperationInput } from "../../client/index.ts";
import { someText, wholeNumber } from "../../config/schemas.ts";
import { connect } from "../connection.ts";
import { CommandError } from "../exit-codes.ts";
import { agentFields, agentTable } from "../output/agent-views.ts";
import { command, type OptionValues } from "../spec.ts";
import { aboutOne, deleted } from "./about-one.ts";
import {
  ARCHIVED_OPTION,
  CALL_EXITS,
  fetchList,
  idArgument,
  JSON_OPTION,
  listOptions,
  METADATA_OPTION,
  metadataOf,
  readText,
  showList,
  showOne,
} from "./shared.ts";

const AGENT = { agent: idArgument("agent", "agent", "Its id.") } as const;
const version = wholeNumber(1, Number.MAX_SAFE_INTEGER);

const FIELD_OPTIONS = {
  model: { kind: "value", flags: "--model <name>", summary: "Model that it thinks with.", schema: someText("a name") },
  system: {
    kind: "value",
    flags: "--system <text>",
    summary: "What it is told before everything else; - reads it from standard input.",
    schema: someText("a text"),
  },
  description: { kind: "value", flags: "--description <text>", summary: "What it is for.", schema: someText("a text") },
  file: {
    kind: "value",
    flags: "--file <file>",
    summary: "Fields as the API takes them, tools and skills included, in a JSON file; options win over it.",
    schema: someText("the path of a file"),
  },
  ...METADATA_OPTION,
} as const;

/** Names that the API knows are left to it; a misspelt one must not be ignored. */
type Fields = Partial<Omit<OperationInput<"createAgent">, "metadata">> & { metadata?: Record<string, string> };
const FILE_KEYS = ["name", "model", "system", "description", "tools", "mcp_servers", "skills", "metadata"];

/** What the options say, over what the file says. */
async function fieldsOf(options: OptionValues<typeof FIELD_OPTIONS>): Promise<Fields> {
  const { file, metadata, system, ...rest } = options;
  const fields: Record<string, unknown> = file === undefined ? {} : readFields(file);
  const given = {
    model: rest.model,
    description: rest.description,
    system: system === undefined ? undefined : await readText(system, "--system"),
    metadata: metadataOf(metadata),
  };
  for (const [name, value] of Object.entries(given)) if (value !== undefined) fields[name] = value;
  return fields as Fields;
}

function readFields(path: string): Record<string, unknown> {
  let fields: unknown;
  try {
    fields = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError("usage", `${path} ${code === undefined ? "is not JSON" : `cannot be read (${code})`}.`);
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    throw new CommandError("usage", `${path} must hold a JSON object, such as {"name":"…","model":"…"}.`);
  }
  const unknown = Object.keys(fields).find((name) => !FILE_KEYS.includes(name));
  if (unknown === undefined) return { ...fields };
  throw new CommandError(
    "usage",
    `${path} has a field ${JSON.stringify(unknown)}; an agent has ${FILE_KEYS.join(", ")}.`,
  );
}

export const createAgent = command({
  path: "agent create",
  summary: "Create an agent: a model with instructions and tools, for sessions to begin with",
  group: "client",
  calls: ["createAgent"],
  arguments: {
    name: { usage: "[name]", summary: "What people call it; else the file says it.", schema: someText("a name") },
  },
  options: { ...JSON_OPTION, ...FIELD_OPTIONS },
  examples: [
    { command: "capstan agent create reviewer --model m-1 --system - < review.md", does: "Instructions from a file" },
    { command: "capstan agent create --file agent.json", does: "All of it from a file" },
  ],
  exits: CALL_EXITS,
  async run({ settings, options, arguments: { name }, io }) {
    const fields = await fieldsOf(options);
    const named = name ?? fields.name;
    const { model } = fields;
    if (named === undefined) throw new CommandError("usage", "The agent has no name: give one, or one in --file.");
    if (model === undefined)
      throw new CommandError("usage", "The agent has no model: name one with --model or in --file.");
    const created = await connect(settings).client.createAgent({ ...fields, name: named, model });
    return showOne(io, options, created, agentFields);
  },
});

export const updateAgent = command({
  path: "agent update",
  summary: "Make the next version of an agent; what is left out stays",
  details: `Makes the next version of an agent. Sessions keep the version that they began with. With --version the update is refused
when another one came first; left out, the newest version is the one that is changed.`,
  group: "client",
  calls: ["getAgent", "updateAgent"],
  arguments: AGENT,
  options: {
    ...JSON_OPTION,
    version: {
      kind: "value",
      flags: "--version <number>",
      summary: "The version that you have seen.",
      schema: version,
    },
    name: { kind: "value", flags: "--name <name>", summary: "What people call it.", schema: someText("a name") },
    ...FIELD_OPTIONS,
  },
  examples: [
    { command: "capstan agent update agent_… --model m-2", does: "Another model" },
    { command: "capstan agent update agent_… --version 3 --file agent.json", does: "Only if nobody changed version 3" },
  ],
  exits: CALL_EXITS,
  async run({ settings, options, arguments: { agent: id }, io }) {
    const fields = await fieldsOf(options);
    if (options.name !== undefined) fields.name = options.name;
    if (Object.keys(fields).length === 0) {
      throw new CommandError(
        "usage",
        "There is nothing to change: give at least one field, by an option or in --file.",
      );
    }
    const { client } = connect(settings);
    const seen = options.version ?? (await client.getAgent({ agent_id: id })).version;
    const updated = await client.updateAgent({ ...fields, agent_id: id, version: seen });
    return showOne(io, options, updated, agentFields);
  },
});

export const getAgent = command({
  path: "agent get",
  summary: "Show one agent, in its newest version or another",
  group: "client",
  calls: ["getAgent"],
  arguments: AGENT,
  options: {
    ...JSON_OPTION,
    version: { kind: "value", flags: "--version <number>", summary: "The version; else the newest.", schema: version },
  },
  examples: [{ command: "capstan agent get agent_… --version 1", does: "As it was first" }],
  exits: CALL_EXITS,
  async run({ settings, options, arguments: { agent: id }, io }) {
    const found = await connect(settings).client.getAgent({ agent_id: id, version: options.version });
    return showOne(io, options, found, agentFields);
  },
});

export const listAgents = command({
  path: "agent list",
  summary: "List agents, newest first",
  group: "client",
  calls: ["listAgents"],
  options: {
    ...listOptions("agent"),
    ...ARCHIVED_OPTION,
  },
  examples: [{ command: "capstan agent list", does: "Each in its newest version" }],
  exits: CALL_EXITS,
  async run({ settings, options, io }) {
    const { client } = connect(settings);
    const filter = { include_archived: options.archived || undefined };
    const list = await fetchList(options, (page) => client.listAgents({ ...page, ...filter }));
    return showList(
      io,
      options,
      list,
      agentTable,
      "There is no agent. Make one: capstan agent create <name> --model <name>",
    );
  },
});

export const archiveAgent = aboutOne({
  path: "agent archive",
  summary: "Archive an agent: no new session begins with it, those that it has go on",
  kind: "agent",
  call: "archiveAgent",
  example: { command: "capstan agent archive agent_…", does: "No way back" },
  view: agentFields,
  run: (client, agent_id) => client.archiveAgent({ agent_id }),
});

export const deleteAgent = aboutOne({
  path: "agent delete",
  summary: "Delete an agent; sessions keep the version that they began with",
  kind: "agent",
  call: "deleteAgent",
  example: { command: "capstan agent delete agent_…", does: "No way back" },
  view: deleted,
  run: (client, agent_id) => client.deleteAgent({ agent_id }),
});
