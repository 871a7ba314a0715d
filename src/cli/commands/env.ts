import { readFileSync } from "node:fs";
import { ApiError } from "../../client/index.ts";
import { someText, wholeNumber } from "../../config/schemas.ts";
import { LIMITS } from "../../contract/limits.ts";
import { connect } from "../connection.ts";
import { CommandError } from "../exit-codes.ts";
import { environmentFields, environmentTable } from "../output/views.ts";
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
  showList,
  showOne,
} from "./shared.ts";

const { maxAttempts, drainSeconds, startSeconds } = LIMITS.queue;

const FIELD_OPTIONS = {
  description: {
    kind: "value",
    flags: "--description <text>",
    summary: "What it is for.",
    schema: someText("a text"),
  },
  maxAttempts: {
    kind: "value",
    flags: "--max-attempts <count>",
    summary: `Workers that may lose their lease on an item before it is given up; 0 for no limit. A new environment has ${maxAttempts.default}.`,
    schema: wholeNumber(maxAttempts.min, maxAttempts.max),
  },
  drainSeconds: {
    kind: "value",
    flags: "--drain-seconds <seconds>",
    summary: `How long a worker may take to stop. A new environment has ${drainSeconds.default}.`,
    schema: wholeNumber(drainSeconds.min, drainSeconds.max),
  },
  startSeconds: {
    kind: "value",
    flags: "--start-seconds <seconds>",
    summary: `How long a worker may take from the ack to its first heartbeat. A new environment has ${startSeconds.default}.`,
    schema: wholeNumber(startSeconds.min, startSeconds.max),
  },
  setupScript: {
    kind: "value",
    flags: "--setup-script <file>",
    summary: "Shell script that each worker runs once before it takes work.",
    schema: someText("the path of a file"),
  },
  ...METADATA_OPTION,
} as const;

interface Config {
  readonly setup_script?: string;
  readonly queue?: Readonly<Record<string, number>>;
}

/** What the options say about the config; nothing of it is set that they leave out. */
function configOf(options: OptionValues<typeof FIELD_OPTIONS>): Config {
  const { maxAttempts, drainSeconds, startSeconds, setupScript } = options;
  const queue = { max_attempts: maxAttempts, drain_seconds: drainSeconds, start_seconds: startSeconds };
  const given = Object.entries(queue).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return {
    ...(setupScript === undefined ? {} : { setup_script: readScript(setupScript) }),
    ...(given.length === 0 ? {} : { queue: Object.fromEntries(given) }),
  };
}

export const createEnvironment = command({
  path: "env create",
  summary: "Create a self_hosted environment: a queue of its own",
  group: "client",
  calls: ["createEnvironment"],
  arguments: { name: { usage: "<name>", summary: "What people call it.", schema: someText("a name") } },
  options: { ...JSON_OPTION, ...FIELD_OPTIONS },
  examples: [
    { command: "capstan env create build-machines", does: "An environment with the usual limits" },
    { command: "capstan env create gpu --max-attempts 2 --metadata team=vision", does: "One that gives up early" },
  ],
  exits: CALL_EXITS,
  async run({ settings, options, arguments: { name }, io }) {
    const { description, metadata } = options;
    const config = { type: "self_hosted" as const, ...configOf(options) };
    const fields = { name, description, config, metadata: metadataOf(metadata) };
    const created = await connect(settings).client.createEnvironment(fields);
    return showOne(io, options, created, environmentFields);
  },
});

export const updateEnvironment = command({
  path: "env update",
  summary: "Change an environment; what is left out stays",
  details: `Changes an environment. Limits count from the next ack, stop or lapse on, a setup script for workers that start from now on,
and metadata is added to what there is.`,
  group: "client",
  calls: ["getEnvironment", "updateEnvironment"],
  arguments: { id: idArgument("environment", "environment", "Its id.") },
  options: {
    ...JSON_OPTION,
    name: { kind: "value", flags: "--name <name>", summary: "What people call it.", schema: someText("a name") },
    ...FIELD_OPTIONS,
  },
  examples: [
    { command: "capstan env update env_… --max-attempts 0", does: "Never gives an item up" },
    { command: "capstan env update env_… --setup-script setup.sh", does: "Another script" },
  ],
  exits: CALL_EXITS,
  async run({ settings, options, arguments: { id }, io }) {
    const { name, description, metadata } = options;
    const changes = configOf(options);
    const changesConfig = Object.keys(changes).length > 0;
    if (!changesConfig && name === undefined && description === undefined && metadata.length === 0) {
      throw new CommandError("usage", "There is nothing to change: give at least one option.");
    }
    const { client } = connect(settings);
    // The API replaces a config as a whole.
    const { config } = await client.getEnvironment({ environment_id: id });
    const queue = changes.queue && { queue: { ...(config.queue as Config["queue"]), ...changes.queue } };
    const updated = await client.updateEnvironment({
      environment_id: id,
      name,
      description,
      metadata: metadataOf(metadata),
      config: changesConfig ? { ...config, ...changes, ...queue } : undefined,
    });
    return showOne(io, options, updated, environmentFields);
  },
});

function readScript(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CommandError("usage", `--setup-script ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}.`);
  }
}

export const listEnvironments = command({
  path: "env list",
  summary: "List environments, newest first",
  group: "client",
  calls: ["listEnvironments"],
  options: {
    ...listOptions("environment"),
    ...ARCHIVED_OPTION,
  },
  examples: [{ command: "capstan env list", does: "The newest 20" }],
  exits: CALL_EXITS,
  async run({ settings, options, io }) {
    const { client } = connect(settings);
    const filter = { include_archived: options.archived || undefined };
    const list = await fetchList(options, (page) => client.listEnvironments({ ...page, ...filter }));
    return showList(
      io,
      options,
      list,
      environmentTable,
      "There is no environment yet. Make one: capstan env create <name>",
    );
  },
});

export const getEnvironment = aboutOne({
  path: "env get",
  summary: "Show one environment",
  kind: "environment",
  call: "getEnvironment",
  example: { command: "capstan env get env_… --json", does: "For programs" },
  view: environmentFields,
  run: (client, environment_id) => client.getEnvironment({ environment_id }),
});

export const archiveEnvironment = aboutOne({
  path: "env archive",
  summary: "Archive an environment: it takes no new session, its queue can still be worked off",
  kind: "environment",
  call: "archiveEnvironment",
  example: { command: "capstan env archive env_…", does: "No way back" },
  view: environmentFields,
  run: (client, environment_id) => client.archiveEnvironment({ environment_id }),
});

export const deleteEnvironment = aboutOne({
  path: "env delete",
  summary: "Delete an environment that no session refers to",
  kind: "environment",
  call: "deleteEnvironment",
  example: { command: "capstan env delete env_…", does: "Refused while it has sessions" },
  view: deleted,
  run: (client, environment_id) =>
    client.deleteEnvironment({ environment_id }).catch((error) => {
      if (!(error instanceof ApiError) || error.status !== 409) throw error;
      const list = `capstan session list --environment ${environment_id} --include-archived`;
      throw new CommandError(
        "conflict",
        error.message,
        `\`${list}\` shows them, \`capstan session delete\` deletes one.`,
      );
    }),
});
