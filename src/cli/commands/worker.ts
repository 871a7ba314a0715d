import type { Resolved } from "../../config/resolve.ts";
import { someText } from "../../config/schemas.ts";
import { SETTINGS } from "../../config/settings.ts";
import { confinement, locatedCommand, SANDBOX_OPTIONS } from "../confinement.ts";
import { checkedEnvironment, findConnection, noToken } from "../connection.ts";
import { CommandError } from "../exit-codes.ts";
import { createCommandWorker, runUntilStopped } from "../run-worker.ts";
import { signalExit } from "../signals.ts";
import { command, type OptionValues } from "../spec.ts";
import { CALL_EXITS } from "./shared.ts";

export const worker = command({
  path: "worker",
  summary: "Run a worker: it takes sessions from an environment and runs a command for each turn",
  details: `Runs a worker. For each turn of a session the command is started in the session's own folder; it reads the turn as one JSON
object ({"work", "session", "events"}) from standard input, and what it writes to standard output becomes events of the
session. Exit code 0 is success. SIGTERM tells the command to finish; it is killed when its time is over. Messages that
come while it runs are the next run's.

Of the worker's tokens the command gets none; CAPSTAN_WORK_TOKEN is good for this item and its session alone. Without
--sandbox, what the command has started is killed with its process group at the end of the turn, and only a process that
left the group lives on; with --sandbox bwrap, nothing does.

With --hand-off the command starts something that outlives it, such as a container, and passes it the CAPSTAN_ variables that it
finds in its environment. The worker keeps the lease until the command has ended with 0, and then never touches the item
again: \`capstan worker attach\` beats in its place, and if nothing does, the item lapses and is given to another worker.

SIGTERM, Ctrl-C or the end of its terminal stops the worker gracefully: it takes no more sessions, and gives those back that do not finish in time.
A second signal gives all of them back at once. What happens is told on standard error.`,
  group: "worker",
  calls: ["pollWork", "ackWork", "heartbeatWork", "stopWork", "releaseWork", "getSession", "listEvents", "sendEvents"],
  arguments: {
    command: { usage: "<command...>", summary: "What to run, after --.", schema: someText("a word of a command") },
  },
  options: {
    skipSetupScript: {
      kind: "switch",
      flags: "--skip-setup-script",
      summary:
        "Do not run the environment's setup script first: who may change the environment cannot run programs here then.",
    },
    handOff: {
      kind: "switch",
      flags: "--hand-off",
      summary:
        "The command starts something that takes the session over with `capstan worker attach`; its output goes to the worker's log.",
    },
    ...SANDBOX_OPTIONS,
    json: { kind: "switch", flags: "--json", summary: "Tell what happens as JSON lines." },
  },
  examples: [
    { command: "capstan worker --environment env_… -- ./agent.sh", does: "One session at a time" },
    {
      command: "capstan worker --environment env_… --concurrency 4 --output jsonl -- node $PWD/agent.js",
      does: "Four at once; the command writes events",
    },
    {
      command:
        "capstan worker --environment env_… --sandbox bwrap --sandbox-read /srv/agent --memory-mb 2048 -- /srv/agent/run",
      does: "Strangers' requests: no other session's files, no network, at most 2 GiB for each process",
    },
    {
      command: "capstan worker --environment env_… --hand-off -- ./start-container.sh",
      does: "Each session in a container that runs `capstan worker attach -- <command>`",
    },
  ],
  exits: [...CALL_EXITS, "interrupted", "terminated"],
  async run({ settings, sources, options, arguments: { command }, io }) {
    const { url, token: found, dev } = findConnection(settings);
    const token = settings.token ?? dev?.worker_token ?? found;
    if (token === undefined) throw noToken(url, settings);
    const environment = settings.environment ?? dev?.environment_id;
    if (environment === undefined) {
      throw new CommandError(
        "usage",
        "--environment (CAPSTAN_ENVIRONMENT_ID) is missing: a worker serves one environment.",
        "`capstan env list` shows the environments and their ids.",
      );
    }
    const { workerId, ttlSeconds, maxTurnSeconds } = settings;
    const { skipSetupScript, json, handOff } = options;
    if (handOff) refuseForHandOff(sources, options);
    const made = await createCommandWorker(io, {
      ...{ baseUrl: url, token, environmentId: checkedEnvironment(environment), workerId, ttlSeconds, maxTurnSeconds },
      confinement: handOff ? "hand_off" : await confinement(io, settings, options, locatedCommand(command)),
      ...{ command, settings, skipSetupScript, json },
    });
    if (!options.json) io.err.write(`Worker ${made.workerId} serves ${environment} at ${url}\n`);
    const { forced } = await runUntilStopped(made);
    return forced === undefined ? "ok" : signalExit(forced);
  },
});

/** Flags that are about the command of a turn, which a worker that hands off does not run. */
const OF_THE_TURN = ["output", "sandbox", "memoryMb", "maxProcesses", "cpuSeconds"] as const;

function refuseForHandOff(
  sources: Resolved<"worker">["sources"],
  { sandboxNetwork, sandboxRead }: OptionValues<typeof SANDBOX_OPTIONS>,
): void {
  const given = OF_THE_TURN.filter((name) => sources[name] === "flag").map((name): string => SETTINGS[name].flag);
  if (sandboxNetwork) given.push(SANDBOX_OPTIONS.sandboxNetwork.flags);
  if (sandboxRead.length > 0) given.push("--sandbox-read");
  if (given.length === 0) return;
  throw new CommandError(
    "usage",
    `${given.join(", ")} cannot be used with --hand-off: what runs the turn is not started by this worker.`,
    "Give it to `capstan worker attach`, where the turn is run.",
  );
}
