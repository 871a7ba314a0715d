import { join, resolve } from "node:path";
import type { SettingsFor } from "../config/resolve.ts";
import { withoutSecrets } from "../config/secrets.ts";
import { makeFolder } from "../storage/folder.ts";
import type { Confinement, Worker, WorkerOptions } from "../worker/index.ts";
import { locatedCommand, noteMissingProgram } from "./confinement.ts";
import { CommandError } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { exitNow, onStopSignals, type StopSignal } from "./signals.ts";
import { reportWorker } from "./worker-events.ts";

type Shared = "concurrency" | "graceSeconds" | "output" | "workspaceRoot" | "dataDir";

export interface CommandWorker
  extends Pick<WorkerOptions, "baseUrl" | "token" | "environmentId" | "workerId" | "ttlSeconds" | "maxTurnSeconds"> {
  readonly command: readonly string[];
  /** What the command may see and use; `hand_off` for one that starts something which takes the session over. */
  readonly confinement?: Confinement | "hand_off";
  readonly settings: Pick<SettingsFor<"worker">, Shared>;
  readonly skipSetupScript: boolean;
  readonly json: boolean;
}

/**
 * A worker that runs a command for each turn.
 *
 * @throws CommandError when its folder cannot be made
 */
export async function createCommandWorker(io: Io, options: CommandWorker): Promise<Worker> {
  const { settings, command: given, confinement, json, skipSetupScript, ...rest } = options;
  // Loaded here, because other commands have no use for it.
  const { createCommandHandler, createHandOffHandler, createWorker } = await import("../worker/index.ts");
  const line = { command: locatedCommand(given), env: withoutSecrets(io.environment) };
  if (!json) noteMissingProgram(io, line.command);
  return createWorker({
    ...rest,
    handler:
      confinement === "hand_off"
        ? createHandOffHandler(line)
        : createCommandHandler({ ...line, output: settings.output, confinement }),
    concurrency: settings.concurrency,
    graceSeconds: settings.graceSeconds,
    workspaceRoot: workspaceFolder(settings),
    setup: skipSetupScript ? undefined : { env: line.env },
    onEvent: reportWorker(io, json),
  });
}

/** The folder of all workspaces. @throws CommandError when it cannot be made */
export function workspaceFolder({
  workspaceRoot,
  dataDir,
}: Pick<SettingsFor<"attach">, "workspaceRoot" | "dataDir">): string {
  const folder = resolve(workspaceRoot ?? join(dataDir, "workspaces"));
  try {
    makeFolder(folder);
    return folder;
  } catch (error) {
    throw new CommandError(
      "failed",
      `The workspace folder ${folder} cannot be made (${(error as NodeJS.ErrnoException).code}).`,
      "Name another one with --workspace-root (CAPSTAN_WORKSPACE_ROOT), or change who may write there.",
    );
  }
}

/** What runs until it has nothing more to do, or is told to end. */
interface Stoppable<T> {
  run(): Promise<T>;
  drain(): unknown;
  abort(): unknown;
}

/**
 * Runs until the end. The first signal lets what is under way finish within the grace period, the second one ends it now,
 * and a third one does not even wait for that.
 *
 * @returns what the run came to, and the second signal, when there was one
 */
export async function runUntilStopped<T>(
  stoppable: Stoppable<T>,
): Promise<{ readonly result: T; readonly forced: StopSignal | undefined }> {
  let forced: StopSignal | undefined;
  const deaf = onStopSignals(
    () => void stoppable.drain(),
    (signal) => {
      if (forced !== undefined) exitNow(signal);
      forced = signal;
      void stoppable.abort();
    },
  );
  try {
    return { result: await stoppable.run(), forced };
  } finally {
    deaf();
  }
}
