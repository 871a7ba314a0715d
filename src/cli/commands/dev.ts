import { fileURLToPath } from "node:url";
import type { Resolved } from "../../config/resolve.ts";
import { someText } from "../../config/schemas.ts";
import { SETTINGS } from "../../config/settings.ts";
import { newSecret } from "../../server/tokens.ts";
import { readDevFile, writeDevFile } from "../dev/file.ts";
import { furnish } from "../dev/furnish.ts";
import { OwnWorker } from "../dev/own-worker.ts";
import { type RunningWorker, welcome } from "../dev/welcome.ts";
import { CommandError } from "../exit-codes.ts";
import { serverOptions, startOwnServer } from "../own-server.ts";
import { createCommandWorker, runUntilStopped } from "../run-worker.ts";
import { signalExit } from "../signals.ts";
import { command } from "../spec.ts";

const AGENT = [process.execPath, fileURLToPath(new URL("../dev/agent.js", import.meta.url))];

const BUILT_IN: RunningWorker = {
  title: "worker runs",
  text: "the built-in agent, which repeats what it is told",
};
const NO_WORKER: RunningWorker = { title: "worker", text: "none yet", isMissing: true };

/** By then the one worker has ended, so there is nobody left to wait for. */
const DRAIN_MS = 1_000;

export const dev = command({
  path: "dev",
  summary: "Run a server, an environment and a worker on this machine, ready to be tried",
  details: `Starts a server, finds or makes the environment "default", and runs a worker for it: with the command that is given, or
with a small built-in agent that repeats what it is told. Tokens and ids are kept in dev.json in the data folder, for its
owner only; other commands on this machine find the server by it, and the next start uses them again.

With --own-worker the command is a worker itself, such as a program that uses the worker library: it is started once, and
finds server, token and environment in CAPSTAN_URL, CAPSTAN_TOKEN and CAPSTAN_ENVIRONMENT_ID. Without a command no worker
runs, and the variables are printed.`,
  group: "dev",
  arguments: {
    command: {
      usage: "[command...]",
      summary: "What the worker runs, after --.",
      schema: someText("a word of a command"),
    },
  },
  options: {
    ownWorker: {
      kind: "switch",
      flags: "--own-worker",
      summary: "The command is a worker itself, and not what a worker runs for each turn.",
    },
  },
  examples: [
    { command: "capstan dev", does: "With the built-in agent" },
    { command: "capstan dev --port 9000 -- ./agent.sh", does: "With an agent of your own" },
    {
      command: "capstan dev --own-worker -- node --watch agent.mjs",
      does: "With a worker of your own, started again whenever you change it",
    },
  ],
  exits: ["interrupted", "terminated"],
  async run({ settings, sources, options: { ownWorker }, arguments: { command = [] }, io }) {
    const own = ownWorker || command.length > 0;
    const { concurrency, graceSeconds, output, workspaceRoot, ...serving } = settings;
    if (ownWorker) refuseForOwnWorker(sources);
    if (!own && output === "jsonl") {
      throw new CommandError(
        "usage",
        "--output jsonl goes with a command of your own; the built-in agent writes text.",
      );
    }
    const remembered = readDevFile(settings.dataDir);
    const adminToken = settings.adminToken ?? remembered?.admin_token ?? newSecret();
    const logLevel = sources.logLevel === "default" ? "warn" : settings.logLevel;
    const server = await startOwnServer(serverOptions({ ...serving, adminToken, logLevel, drainMs: DRAIN_MS }));
    try {
      const file = await furnish(server.url, adminToken, remembered);
      writeDevFile(settings.dataDir, file);
      const worker = ownWorker
        ? new OwnWorker(io, command, file, graceSeconds)
        : await createCommandWorker(io, {
            ...{ baseUrl: server.url, token: file.worker_token, environmentId: file.environment_id },
            ...{ command: own ? command : AGENT, settings, skipSetupScript: false, json: false },
          });
      const dataDir = sources.dataDir === "default" ? undefined : settings.dataDir;
      io.out.write(welcome(io, file, dataDir, runningWorker(ownWorker, command)));
      const { forced } = await runUntilStopped<void>(worker);
      return forced === undefined ? "ok" : signalExit(forced);
    } finally {
      await server.stop();
    }
  },
});

function runningWorker(ownWorker: boolean, command: readonly string[]): RunningWorker {
  if (command.length === 0) return ownWorker ? NO_WORKER : BUILT_IN;
  return { title: ownWorker ? "worker" : "worker runs", text: command.join(" ") };
}

/** Flags of the worker that is built in. */
const OF_THE_WORKER = ["concurrency", "output", "workspaceRoot"] as const;

function refuseForOwnWorker(sources: Resolved<"dev">["sources"]): void {
  const given = OF_THE_WORKER.filter((name) => sources[name] === "flag").map((name): string => SETTINGS[name].flag);
  if (given.length === 0) return;
  throw new CommandError(
    "usage",
    `${given.join(", ")} cannot be used with --own-worker: that worker says for itself how it works.`,
  );
}
