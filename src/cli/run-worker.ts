import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { SettingsFor } from "../config/resolve.ts";
import { withoutSecrets } from "../config/secrets.ts";
import type { Confinement, Worker, WorkerOptions } from "../worker/index.ts";
import { locatedCommand } from "./confinement.ts";
import { CommandError } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { exitNow, onStopSignals, type StopSignal } from "./signals.ts";
import { reportWorker } from "./worker-events.ts";

type Shared = "concurrency" | "graceSeconds" | "output" | "workspaceRoot" | "dataDir";

export interface CommandWorker
  extends Pick<WorkerOptions, "baseUrl" | "token" | "environmentId" | "workerId" | "ttlSeconds" | "maxTurnSeconds"> {
  readonly command: readonly string[];
  readonly confinement?: Confinement;
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
  const command = locatedCommand(given);
  // Loaded here, because other commands have no use for it.
  const { createCommandHandler, createWorker } = await import("../worker/index.ts");
  const env = withoutSecrets(io.environment);
  return createWorker({
    ...rest,
    handler: createCommandHandler({ command, env, output: settings.output, confinement }),
    concurrency: settings.concurrency,
    graceSeconds: settings.graceSeconds,
    workspaceRoot: workspaceRoot(settings),
    setup: skipSetupScript ? undefined : { env },
    onEvent: reportWorker(io, json),
  });
}

function workspaceRoot({ workspaceRoot, dataDir }: Pick<SettingsFor<"worker">, Shared>): string {
  const folder = resolve(workspaceRoot ?? join(dataDir, "workspaces"));
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  } catch (error) {
    throw new CommandError(
      "failed",
      `The workspace folder ${folder} cannot be made (${(error as NodeJS.ErrnoException).code}).`,
      "Name another one with --workspace-root (CAPSTAN_WORKSPACE_ROOT), or change who may write there.",
    );
  }
}

/**
 * Runs a worker until it is told to stop. The first signal lets its sessions finish within the grace period, the second
 * one ends them now, and a third one does not even wait for that.
 *
 * @returns the second signal, when there was one
 */
export async function runWorker(worker: Worker): Promise<StopSignal | undefined> {
  let forced: StopSignal | undefined;
  const deaf = onStopSignals(
    () => void worker.drain(),
    (signal) => {
      if (forced !== undefined) exitNow(signal);
      forced = signal;
      void worker.abort();
    },
  );
  try {
    await worker.run();
    return forced;
  } finally {
    deaf();
  }
}
