import type { CapstanClient } from "../client/client.ts";
import { ApiError } from "../client/errors.ts";
import type { Work } from "../contract/shapes.ts";
import type { EventLevel, Report } from "./events.ts";
import { describe, persist } from "./failures.ts";
import type { TurnRun } from "./turn-run.ts";
import type { TurnSignals } from "./turn-signals.ts";

/**
 * How an item ended for this worker.
 * - `completed`, `failed`: the turn was run to its end, and the handler returned or threw
 * - `stopped`: somebody asked for it, and the worker confirmed
 * - `released`: given back to the queue
 * - `lost`: the lease ended, or the item was ended by somebody else; it was not touched any more
 * - `dropped`: delivered, but never taken
 */
export type SessionOutcome = "completed" | "failed" | "stopped" | "released" | "lost" | "dropped";

export interface ItemEndParts {
  readonly client: CapstanClient;
  readonly work: Work;
  readonly environmentId: string;
  readonly workerId: string;
  readonly signals: TurnSignals;
  readonly turn: TurnRun;
  readonly report: Report;
}

const CALL_TIMEOUT_MS = 10_000;
/** A worker that shuts down tries this long to hand its items back; then they lapse. */
const SHUTDOWN_WITHIN_MS = 5_000;
/** After our stop has reached the server, the next heartbeat is refused. The answer of the stop may still be on its way. */
const ANSWER_AFTER_LOSS_MS = 1_000;

/** The last call on an item. Which one it is depends on why the turn ended. */
export class ItemEnd {
  readonly #parts: ItemEndParts;
  readonly #ids: { environment_id: string; work_id: string; worker_id: string };
  readonly #giveUp = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #finishing = false;
  #hurried = false;

  constructor(parts: ItemEndParts) {
    this.#parts = parts;
    this.#ids = { environment_id: parts.environmentId, work_id: parts.work.id, worker_id: parts.workerId };
  }

  /** The worker shuts down and cannot wait for a server that is away. */
  hurry(): void {
    this.#hurried = true;
    if (this.#finishing) this.#giveUpIn(SHUTDOWN_WITHIN_MS);
  }

  leaseLost(): void {
    if (this.#finishing) this.#giveUpIn(ANSWER_AFTER_LOSS_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async finish(): Promise<SessionOutcome> {
    this.#finishing = true;
    if (this.#hurried) this.#giveUpIn(SHUTDOWN_WITHIN_MS);
    const { signals, turn } = this.#parts;
    switch (signals.reason) {
      case "lease_lost":
        return "lost";
      case "stop_requested":
        return await this.#stop("stopped");
      case "shutdown":
        return await this.#release();
      case undefined:
        if (turn.failure === undefined) return await this.#stop("completed");
        await turn.tellFailure(turn.failure.error).catch((failure) => this.#failed("tell the session", failure));
        return await this.#stop("failed");
    }
  }

  async #stop(outcome: SessionOutcome): Promise<SessionOutcome> {
    const { client, turn } = this.#parts;
    const input = { ...this.#ids, force: true, processed_through: turn.processedThrough };
    try {
      await this.#persist((options) => client.stopWork(input, options));
      return outcome;
    } catch (failure) {
      this.#failed("stop the item", failure);
      return "lost";
    }
  }

  async #release(): Promise<SessionOutcome> {
    const { client, signals } = this.#parts;
    try {
      await this.#persist((options) => client.releaseWork({ ...this.#ids, reason: signals.message }, options));
      return "released";
    } catch (failure) {
      // Refused: it was asked to stop in the meantime, which has to be confirmed, or it is no longer ours.
      if (failure instanceof ApiError && failure.status === 409) return await this.#stop("stopped");
      this.#failed("release the item", failure, "warn");
      return "lost";
    }
  }

  #persist<T>(
    call: (options: { signal: AbortSignal; timeoutMs: number; maxRetries: number }) => Promise<T>,
  ): Promise<T> {
    const { signal } = this.#giveUp;
    return persist(
      () => call({ signal, timeoutMs: CALL_TIMEOUT_MS, maxRetries: 0 }),
      signal,
      (failure) => this.#failed("end the item yet", failure),
    );
  }

  #giveUpIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveUp.abort(new Error("there was no time left")), ms);
  }

  #failed(what: string, failure: unknown, level: EventLevel = "warn"): void {
    this.#parts.report({ level, type: "call_failed", message: `Cannot ${what}: ${describe(failure)}` });
  }
}
