import { readFileSync } from "node:fs";
import { ApiError } from "../../client/index.ts";
import { someText, wholeNumber } from "../../config/schemas.ts";
import { LIMITS } from "../../contract/limits.ts";
import { connect } from "../connection.ts";
import { CommandError } from "../exit-codes.ts";
import { environmentFields, environmentTable } from "../output/views.ts";
import { command } from "../spec.ts";
import { aboutOne, deleted } from "./about-one.ts";
import {
  ARCHIVED_OPTION,
  CALL_EXITS,
  fetchList,
  JSON_OPTION,
  LIST_OPTIONS,
  METADATA_OPTION,
  metadataOf,
  showList,
  showOne,
} from "./shared.ts";

const { maxAttempts, drainSeconds, startSeconds } = LIMITS.queue;

export const createEnvironment = command({
  path: "env create",
  summary: "Create a self_hosted environment: a queue of its own",
  group: "client",
  calls: ["createEnvironment"],
  arguments: { name: { usage: "<name>", summary: "What people call it.", schema: someText("a name") } },
  options: {
    ...JSON_OPTION,
    description: {
      kind: "value",
      flags: "--description <text>",
      summary: "What it is for.",
      schema: someText("a text"),
    },
    maxAttempts: {
      kind: "value",
      flags: "--max-attempts <count>",
      summary: `Workers that may lose their lease on an item before it is given up; 0 for no limit. Default ${maxAttempts.default}.`,
      schema: wholeNumber(maxAttempts.min, maxAttempts.max),
    },
    drainSeconds: {
      kind: "value",
      flags: "--drain-seconds <seconds>",
      summary: `How long a worker may take to stop. Default ${drainSeconds.default}.`,
      schema: wholeNumber(drainSeconds.min, drainSeconds.max),
    },
    startSeconds: {
      kind: "value",
      flags: "--start-seconds <seconds>",
      summary: `How long a worker may take from the ack to its first heartbeat. Default ${startSeconds.default}.`,
      schema: wholeNumber(startSeconds.min, startSeconds.max),
    },
    setupScript: {
      kind: "value",
      flags: "--setup-script <file>",
      summary: "Shell script that each worker runs once before it takes work.",
      schema: someText("the path of a file"),
    },
    ...METADATA_OPTION,
  },
  examples: [
    { command: "capstan env create build-machines", does: "An environment with the usual limits" },
    { command: "capstan env create gpu --max-attempts 2 --metadata team=vision", does: "One that gives up early" },
  ],
  exits: CALL_EXITS,
  async run({ settings, options, arguments: { name }, io }) {
    const { client } = connect(settings);
    const { description, maxAttempts, drainSeconds, startSeconds } = options;
    const queue = { max_attempts: maxAttempts, drain_seconds: drainSeconds, start_seconds: startSeconds };
    const script = options.setupScript === undefined ? undefined : readScript(options.setupScript);
    const asked = Object.values(queue).some((value) => value !== undefined);
    const created = await client.createEnvironment({
      name,
      description,
      config: { type: "self_hosted", setup_script: script, queue: asked ? queue : undefined },
      metadata: metadataOf(options.metadata),
    });
    return showOne(io, options, created, environmentFields);
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
    ...LIST_OPTIONS,
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
