import { ApiError, ConnectionError } from "../client/errors.ts";
import type { Report } from "./events.ts";
import { describeCall, persist } from "./failures.ts";
import type { HandOut } from "./hand-out.ts";
import { TurnFailed } from "./handler.ts";
import type { TurnRun } from "./turn-run.ts";
import type { TurnSignals } from "./turn-signals.ts";

/**
 * How an item ended for this worker.
 * - `completed`, `failed`: the turn was run to its end, and the handler returned, or threw or took too long
 * - `stopped`: somebody asked for it, and the worker confirmed
 * - `released`: what was not answered was given back to the queue
 * - `handed_off`: a process that was started for it has the lease, and the item; neither was touched any more
 * - `lost`: the lease ended, or the item was ended by somebody else; it was not touched any more
 * - `dropped`: delivered, but never taken
 */
export type SessionOutcome = "completed" | "failed" | "stopped" | "released" | "handed_off" | "lost" | "dropped";

export interface ItemEndParts {
  readonly handOut: HandOut;
  readonly environmentId: string;
  readonly signals: TurnSignals;
  readonly turn: TurnRun;
  readonly report: Report;
}

interface TryOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly maxRetries: number;
}

const CALL_TIMEOUT_MS = 10_000;
/** A worker that shuts down tries this long to hand its items back; then they lapse. */
const SHUTDOWN_WITHIN_MS = 5_000;
/** After our stop has reached the server, the next heartbeat is refused. The answer of the stop may still be on its way. */
const ANSWER_AFTER_LOSS_MS = 1_000;

/** The last call on an item. Which one it is depends on why the turn ended. */
export class ItemEnd {
  readonly #parts: ItemEndParts;
  readonly #ids: { environment_id: string; work_id: string };
  readonly #giveUp = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #finishing = false;
  #hurried = false;

  constructor(parts: ItemEndParts) {
    this.#parts = parts;
    this.#ids = { environment_id: parts.environmentId, work_id: parts.handOut.work.id };
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
    if (turn.isHandedOff) return "handed_off";
    switch (signals.reason) {
      case "lease_lost":
        return "lost";
      case "stop_requested":
        return await this.#stop("stopped", turn.processedThrough);
      case "shutdown":
        return await this.#giveBack();
      case "timeout":
        return await this.#fail(new TurnFailed("timeout", signals.message));
      case undefined:
        if (turn.failure !== undefined) return await this.#fail(turn.failure.error);
        if (turn.isUntouched) return await this.#release();
        return await this.#stop("completed", turn.processedThrough);
    }
  }

  async #fail(error: unknown): Promise<SessionOutcome> {
    const { turn } = this.#parts;
    await turn.tellFailure(error, this.#giveUp.signal).catch((failure) => this.#failed("tell the session", failure));
    return await this.#stop("failed", turn.processedThrough);
  }

  /** A release gives back all of the item, so what was answered meanwhile is taken out of it first: by a stop. */
  async #giveBack(): Promise<SessionOutcome> {
    const { answeredThrough } = this.#parts.turn;
    return await (answeredThrough === undefined ? this.#release() : this.#stop("released", answeredThrough));
  }

  async #stop(outcome: SessionOutcome, processedThrough: string | undefined): Promise<SessionOutcome> {
    const input = { ...this.#ids, force: true, processed_through: processedThrough };
    try {
      await this.#lastCall((options) => this.#parts.handOut.client.stopWork(input, options));
      return outcome;
    } catch (failure) {
      this.#failed("stop the item", failure);
      return "lost";
    }
  }

  async #release(): Promise<SessionOutcome> {
    const { handOut, signals, turn } = this.#parts;
    try {
      const input = { ...this.#ids, reason: signals.message || "The worker is shutting down." };
      await this.#lastCall((options) => handOut.client.releaseWork(input, options));
      return "released";
    } catch (failure) {
      // Refused: it was asked to stop in the meantime, which has to be confirmed, or it is no longer ours.
      if (failure instanceof ApiError && failure.status === 409) {
        return await this.#stop("stopped", turn.processedThrough);
      }
      this.#failed("release the item", failure);
      return "lost";
    }
  }

  /** Makes the call that ends the hand-out. Its token dies with that, so a repeat after a lost answer is a 401. */
  async #lastCall(call: (options: TryOptions) => Promise<unknown>): Promise<void> {
    const { signal } = this.#giveUp;
    let maybeDone = false;
    const onFailure = (failure: unknown) => {
      maybeDone ||= failure instanceof ConnectionError ? failure.maybeDelivered : !isRefusal(failure);
      this.#failed("end the item yet", failure);
    };
    try {
      await persist(() => call({ signal, timeoutMs: CALL_TIMEOUT_MS, maxRetries: 0 }), signal, onFailure);
    } catch (failure) {
      if (!maybeDone || !(failure instanceof ApiError) || failure.status !== 401) throw failure;
    }
  }

  #giveUpIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveUp.abort(new Error("there was no time left")), ms);
  }

  #failed(what: string, failure: unknown): void {
    const message = `Cannot ${what}: ${describeCall(failure, this.#ids.work_id)}`;
    this.#parts.report({ level: "warn", type: "call_failed", message });
  }
}

/** Whether the server itself said that it did nothing. */
const isRefusal = (failure: unknown): boolean =>
  failure instanceof ApiError && failure.type !== "http_error" && [429, 503].includes(failure.status);
