import { mkdir } from "node:fs/promises";
import { CapstanClient } from "../client/client.ts";
import type { Report } from "./events.ts";
import { describe } from "./failures.ts";
import type { HandOut } from "./hand-out.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { Lifecycle, type WorkerMode } from "./lifecycle.ts";
import { type ResolvedOptions, resolveOptions, type WorkerOptions } from "./options.ts";
import { pollLoop } from "./poll-loop.ts";
import { Poller } from "./poller.ts";
import { SessionPool } from "./session-pool.ts";
import { setUp } from "./setup-script.ts";
import { type WorkerStatus, withLine } from "./status.ts";
import { catchStrayErrors } from "./stray-errors.ts";

/** After the grace period of a drain, a session has this long between the polite and the forced end. */
const LAST_GRACE_MS = 2_000;

export interface Worker {
  readonly workerId: string;
  /**
   * Polls and runs sessions until `drain` or `abort`. Survives a server that is away for as long as that takes.
   *
   * @throws ApiError when the server refuses this worker for good: a wrong token, an environment that is not there
   */
  run(): Promise<void>;
  /**
   * Takes no more work, and gives no more input to its handlers; lets them finish what they are at for the grace period,
   * then gives their sessions back. Resolves when nothing runs.
   */
  drain(): Promise<void>;
  /** Ends all sessions at once and releases them. Resolves when nothing runs. */
  abort(): Promise<void>;
  status(): WorkerStatus;
}

/**
 * A worker for one environment: it polls for sessions, keeps their leases and runs the handler for each turn.
 *
 * @throws TypeError, RangeError for an option that cannot be
 */
export function createWorker(options: WorkerOptions): Worker {
  return new EnvironmentWorker(resolveOptions(options));
}

class EnvironmentWorker implements Worker {
  readonly workerId: string;
  readonly #options: ResolvedOptions;
  readonly #poller: Poller;
  readonly #keeper: LeaseKeeper;
  readonly #pool: SessionPool;
  readonly #lifecycle = new Lifecycle((mode) => this.#modeChanged(mode));
  #graceTimer: NodeJS.Timeout | undefined;
  #lastPollAtMs: number | undefined;
  #pollFailure: string | undefined;

  constructor(options: ResolvedOptions) {
    const { baseUrl, userAgent, environmentId, workerId, concurrency } = options;
    this.#options = options;
    this.workerId = workerId;
    this.#poller = new Poller(options);
    this.#keeper = new LeaseKeeper({ baseUrl, userAgent, environmentId });
    this.#pool = new SessionPool(concurrency, { ...options, keeper: this.#keeper, report: this.#report });
  }

  async run(): Promise<void> {
    if (!this.#lifecycle.to("running")) throw new Error(`This worker is ${this.#lifecycle.mode}: make a new one.`);
    const { polling } = this.#lifecycle;
    let fatal: { readonly error: unknown } | undefined;
    const letGo = catchStrayErrors();
    try {
      await Promise.all([this.#makeWorkspaceRoot(), this.#keeper.start()]);
      await this.#setUp(polling);
      await this.#poll(polling);
    } catch (error) {
      if (!polling.aborted) fatal = { error };
    }
    // Refused for good, the worker still lets its sessions finish: their leases are another matter.
    this.#lifecycle.to("draining");
    await this.#pool.settled();
    await this.#keeper.close();
    letGo();
    this.#lifecycle.to("stopped");
    if (fatal !== undefined) throw fatal.error;
  }

  drain(): Promise<void> {
    this.#lifecycle.to(this.#lifecycle.mode === "idle" ? "stopped" : "draining");
    return this.#lifecycle.stopped;
  }

  abort(): Promise<void> {
    this.#lifecycle.to(this.#lifecycle.mode === "idle" ? "stopped" : "aborting");
    return this.#lifecycle.stopped;
  }

  status(): WorkerStatus {
    const { environmentId, concurrency } = this.#options;
    const polledAt = this.#lastPollAtMs;
    return withLine({
      mode: this.#lifecycle.mode,
      workerId: this.workerId,
      environmentId,
      concurrency,
      sessions: this.#pool.statuses(),
      ended: this.#pool.ended,
      lastPollSecondsAgo: polledAt === undefined ? undefined : (performance.now() - polledAt) / 1_000,
      pollFailure: this.#pollFailure,
    });
  }

  async #makeWorkspaceRoot(): Promise<void> {
    const { workspaceRoot } = this.#options;
    await mkdir(workspaceRoot, { recursive: true, mode: 0o700 }).catch((failure) => {
      const message = `The workspace root ${workspaceRoot} cannot be made (${describe(failure)}): choose another folder.`;
      throw new Error(message, { cause: failure });
    });
  }

  async #setUp(signal: AbortSignal): Promise<void> {
    const { setup, baseUrl, token, userAgent, environmentId, workspaceRoot } = this.#options;
    if (setup === undefined) return;
    const client = new CapstanClient({ baseUrl, token, userAgent });
    await setUp({ ...setup, client, environmentId, workspaceRoot, report: this.#report }, signal);
  }

  #poll(signal: AbortSignal): Promise<void> {
    const parts = {
      poll: (asking: AbortSignal) => this.#poller.poll(asking),
      slots: this.#pool.slots,
      take: (handOut: HandOut) => this.#pool.take(handOut),
      onPolled: () => this.#polled(),
      onFailure: (failure: unknown, waitMs: number) => this.#pollFailed(describe(failure), waitMs),
    };
    return pollLoop(parts, signal);
  }

  #polled(): void {
    this.#lastPollAtMs = performance.now();
    if (this.#pollFailure === undefined) return;
    this.#pollFailure = undefined;
    this.#report({ level: "info", type: "poll_recovered", message: "The server answers again." });
  }

  #pollFailed(why: string, waitMs: number): void {
    this.#pollFailure = why;
    const message = `${why} Polling again in ${(waitMs / 1_000).toFixed(1)} s.`;
    this.#report({ level: "warn", type: "poll_failed", message });
  }

  #modeChanged(mode: WorkerMode): void {
    clearTimeout(this.#graceTimer);
    if (mode === "draining") {
      this.#pool.closeInput();
      this.#graceTimer = setTimeout(() => this.#pool.shutDown(LAST_GRACE_MS), this.#options.graceSeconds * 1_000);
    } else if (mode === "aborting") {
      this.#pool.shutDown(0);
    }
    this.#report({ level: "info", type: "mode_changed", message: `The worker is ${mode}.`, facts: { mode } });
  }

  readonly #report: Report = (event) => {
    try {
      this.#options.onEvent(event);
    } catch {
      // Whoever listens must not be able to end a session, or the worker.
    }
  };
}
