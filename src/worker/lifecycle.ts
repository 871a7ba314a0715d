/**
 * - `idle`: made, not started
 * - `running`: polls and runs sessions
 * - `draining`: polls no more; sessions may finish, until the grace period is over
 * - `aborting`: polls no more; sessions are being ended now
 * - `stopped`: nothing runs any more
 */
export type WorkerMode = "idle" | "running" | "draining" | "aborting" | "stopped";

const NEXT: Readonly<Record<WorkerMode, readonly WorkerMode[]>> = {
  idle: ["running", "stopped"],
  running: ["draining", "aborting"],
  draining: ["aborting", "stopped"],
  aborting: ["stopped"],
  stopped: [],
};

/** The mode of a worker. `to` is its only writer, so that no two shutdowns can undo each other. */
export class Lifecycle {
  readonly #polling = new AbortController();
  readonly #onChange: (mode: WorkerMode) => void;
  #mode: WorkerMode = "idle";
  #resolveStopped: () => void = () => {};
  /** Resolves in mode `stopped`. */
  readonly stopped = new Promise<void>((resolve) => {
    this.#resolveStopped = resolve;
  });

  constructor(onChange: (mode: WorkerMode) => void) {
    this.#onChange = onChange;
  }

  get mode(): WorkerMode {
    return this.#mode;
  }

  /** Aborted when the worker shall take no more work. */
  get polling(): AbortSignal {
    return this.#polling.signal;
  }

  /** @returns false when the mode cannot follow the present one, which then stays. */
  to(mode: WorkerMode): boolean {
    if (!NEXT[this.#mode].includes(mode)) return false;
    this.#mode = mode;
    this.#onChange(mode);
    if (mode !== "running") this.#polling.abort();
    if (mode === "stopped") this.#resolveStopped();
    return true;
  }
}
