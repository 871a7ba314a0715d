import { type Handler, TurnFailed } from "./handler.ts";
import { commandEnvironment, startSilentGroup } from "./process-group.ts";
import { type CommandLine, handOutVariables } from "./turn-command.ts";

/** What a handler returns that has passed its lease to another process: this worker touches the item no more. */
export const HANDED_OFF = Symbol("handed off");

const handlers = new WeakSet<Handler>();

/** Whether what this handler starts may take the lease over while it still runs. */
export const handsOff = (handler: Handler): boolean => handlers.has(handler);

/**
 * A handler that passes each session on: it runs a command that starts something else, such as a container, which takes
 * the lease over with what it finds in its environment (`capstan worker attach` does). The lease is kept for it until the
 * command has ended with status 0; with any other, nothing was started, and the session is told. If what was started
 * never beats, the item lapses and is given to another worker.
 */
export function createHandOffHandler({ command, env }: Omit<CommandLine, "confinement">): Handler {
  if (command.length === 0) throw new TypeError("command must name a program.");
  const handler: Handler = async (context) => {
    const { workspace, signal, forced, work } = context;
    const group = startSilentGroup(command, {
      cwd: workspace,
      env: commandEnvironment(env, {
        ...handOutVariables(context),
        CAPSTAN_LAST_HEARTBEAT: work.latest_heartbeat_at ?? "",
      }),
    });
    const terminate = () => group.kill("SIGTERM");
    const kill = () => group.kill("SIGKILL");
    signal.addEventListener("abort", terminate);
    forced.addEventListener("abort", kill);
    try {
      const { code, signal: endedBy } = await group.exited;
      if (code === 0) return HANDED_OFF;
      const how = endedBy === null ? `exited with code ${code}` : `was ended by ${endedBy}`;
      throw new TurnFailed("hand_off_failed", `The start command ${how}; its output is in the worker's log.`, {
        exit_code: code,
      });
    } finally {
      signal.removeEventListener("abort", terminate);
      forced.removeEventListener("abort", kill);
    }
  };
  handlers.add(handler);
  return handler;
}
