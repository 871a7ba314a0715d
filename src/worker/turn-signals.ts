import { type AbortReason, TurnAborted, type TurnSignal } from "./handler.ts";

/** Which reason decides how the item ends, when several come together: the greater one. */
const WEIGHT: Readonly<Record<AbortReason, number>> = { shutdown: 1, timeout: 2, stop_requested: 3, lease_lost: 4 };

/** How a running turn is told to end: politely first, and with force when the grace period is over. */
export class TurnSignals {
  readonly #polite = new AbortController();
  readonly #forced = new AbortController();
  #reason: AbortReason | undefined;
  #message = "";
  #forceAtMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  /** Aborted with a {@link TurnAborted}: finish quickly. */
  get signal(): TurnSignal {
    return this.#polite.signal;
  }

  /** Aborted when the grace period is over. */
  get forced(): TurnSignal {
    return this.#forced.signal;
  }

  /** The weightiest reason so far. */
  get reason(): AbortReason | undefined {
    return this.#reason;
  }

  /** The sentence that came with it. */
  get message(): string {
    return this.#message;
  }

  /** Ends the turn. A second call may make it end sooner, never later. */
  abort(reason: AbortReason, message: string, graceMs: number): void {
    if (this.#reason === undefined || WEIGHT[reason] > WEIGHT[this.#reason]) {
      this.#reason = reason;
      this.#message = message;
    }
    const aborted = new TurnAborted(reason, message);
    this.#polite.abort(aborted);
    const forceAtMs = performance.now() + graceMs;
    if (forceAtMs >= this.#forceAtMs) return;
    this.#forceAtMs = forceAtMs;
    clearTimeout(this.#timer);
    if (graceMs > 0) this.#timer = setTimeout(() => this.#forced.abort(aborted), graceMs);
    else this.#forced.abort(aborted);
  }

  /** The turn is over: no timer may outlive it. */
  close(): void {
    clearTimeout(this.#timer);
  }
}
