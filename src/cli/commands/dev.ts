import { fileURLToPath } from "node:url";
import { someText } from "../../config/schemas.ts";
import { newSecret } from "../../server/tokens.ts";
import { readDevFile, writeDevFile } from "../dev/file.ts";
import { furnish } from "../dev/furnish.ts";
import { welcome } from "../dev/welcome.ts";
import { CommandError } from "../exit-codes.ts";
import { serverOptions, startOwnServer } from "../own-server.ts";
import { createCommandWorker, runUntilStopped } from "../run-worker.ts";
import { signalExit } from "../signals.ts";
import { command } from "../spec.ts";

const AGENT = [process.execPath, fileURLToPath(new URL("../dev/agent.js", import.meta.url))];

/** By then the one worker has ended, so there is nobody left to wait for. */
const DRAIN_MS = 1_000;

export const dev = command({
  path: "dev",
  summary: "Run a server, an environment and a worker on this machine, ready to be tried",
  details: `Starts a server, finds or makes the environment "default", and runs a worker for it: with the command that is given, or
with a small built-in agent that repeats what it is told. Tokens and ids are kept in dev.json in the data folder, for its
owner only; other commands on this machine find the server by it, and the next start uses them again.`,
  group: "dev",
  arguments: {
    command: {
      usage: "[command...]",
      summary: "What the worker runs, after --.",
      schema: someText("a word of a command"),
    },
  },
  examples: [
    { command: "capstan dev", does: "With the built-in agent" },
    { command: "capstan dev --port 9000 -- ./agent.sh", does: "With an agent of your own" },
  ],
  exits: ["interrupted", "terminated"],
  async run({ settings, sources, arguments: { command }, io }) {
    const own = command !== undefined && command.length > 0;
    const { concurrency, graceSeconds, output, workspaceRoot, ...serving } = settings;
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
      const worker = await createCommandWorker(io, {
        ...{ baseUrl: server.url, token: file.worker_token, environmentId: file.environment_id },
        ...{ command: own ? command : AGENT, settings, skipSetupScript: false, json: false },
      });
      const dataDir = sources.dataDir === "default" ? undefined : settings.dataDir;
      io.out.write(
        welcome(io, file, dataDir, own ? command.join(" ") : "the built-in agent, which repeats what it is told"),
      );
      const { forced } = await runUntilStopped(worker);
      return forced === undefined ? "ok" : signalExit(forced);
    } finally {
      await server.stop();
    }
  },
});
