import { ApiError } from "../../client/index.ts";
import { someText } from "../../config/schemas.ts";
import { withoutSecrets } from "../../config/secrets.ts";
import { isId } from "../../core/ids.ts";
import type { SessionOutcome } from "../../worker/index.ts";
import { confinement, locatedCommand, SANDBOX_OPTIONS } from "../confinement.ts";
import { checkedEnvironment, DEFAULT_URL } from "../connection.ts";
import { CommandError, type ExitName } from "../exit-codes.ts";
import { runUntilStopped, workspaceFolder } from "../run-worker.ts";
import { signalExit } from "../signals.ts";
import { command } from "../spec.ts";
import { reportWorker } from "../worker-events.ts";
import { CALL_EXITS } from "./shared.ts";

export const workerAttach = command({
  path: "worker attach",
  summary:
    "Take over a session that a worker with --hand-off has handed to this process, and run a command for its turn",
  details: `Takes over the lease of one session, runs the command for its turn as \`capstan worker\` does, and ends the work item. It is
for what a worker with --hand-off starts: a container, a virtual machine. All that it needs stands in the variables that the
worker has set there, and nothing that is good for more than this one session.

SIGTERM or Ctrl-C lets the command finish for the grace period and then gives the session back; a second signal does that at
once. Exit code 0 means that the turn was run, or the session given back or stopped as somebody asked.`,
  group: "attach",
  arguments: {
    command: { usage: "<command...>", summary: "What to run, after --.", schema: someText("a word of a command") },
  },
  options: {
    ...SANDBOX_OPTIONS,
    json: { kind: "switch", flags: "--json", summary: "Tell what happens as JSON lines." },
  },
  examples: [{ command: "capstan worker attach -- /srv/agent/run", does: "Inside of the container that was started" }],
  exits: [...CALL_EXITS, "session_error", "interrupted", "terminated"],
  async run({ settings, options, arguments: { command: given }, io }) {
    const { url = DEFAULT_URL, workToken, workId, environment } = settings;
    if (workToken === undefined || environment === undefined || workId === undefined || !isId("work", workId)) {
      throw new CommandError(
        "usage",
        "CAPSTAN_WORK_TOKEN, CAPSTAN_WORK_ID and CAPSTAN_ENVIRONMENT_ID must say which session was handed over.",
        "A worker with --hand-off sets them for what it starts: pass them on into the container.",
      );
    }
    const command = locatedCommand(given);
    const { attach, createCommandHandler } = await import("../../worker/index.ts");
    const { lastHeartbeat, output, ttlSeconds, graceSeconds, maxTurnSeconds } = settings;
    const handler = createCommandHandler({
      ...{ command, env: withoutSecrets(io.environment), output },
      confinement: await confinement(io, settings, options, command),
    });
    const attached = attach({
      ...{ baseUrl: url, workToken, workId, environmentId: checkedEnvironment(environment), lastHeartbeat, handler },
      ...{ ttlSeconds, graceSeconds, maxTurnSeconds, workspaceRoot: workspaceFolder(settings) },
      onEvent: reportWorker(io, options.json),
    });
    const { result, forced } = await runUntilStopped(attached).catch((failure) => {
      if (!(failure instanceof ApiError) || failure.status !== 401) throw failure;
      const message = `The hand-out of ${workId} is over: the session is done, or another worker has it.`;
      throw new CommandError("unauthenticated", message, "There is nothing left to do here.");
    });
    return forced === undefined ? EXITS[result] : signalExit(forced);
  },
});

const EXITS: Readonly<Record<SessionOutcome, ExitName>> = {
  completed: "ok",
  stopped: "ok",
  released: "ok",
  handed_off: "ok",
  failed: "session_error",
  lost: "conflict",
  dropped: "conflict",
};
