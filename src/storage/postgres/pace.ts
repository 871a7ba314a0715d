/**
 * How often something may be done that costs others: a few times at once, after that at a steady pace (the generic cell rate
 * algorithm, ITU-T I.371). What was not used comes back with time, and never more of it than at the beginning.
 */
export class Pace {
  readonly #everyMs: number;
  readonly #leadMs: number;
  /** When the next one would be due, had they come at the steady pace. */
  #dueMs = Number.NEGATIVE_INFINITY;

  /**
   * @param everyMs the steady pace
   * @param burst how many may go at once
   */
  constructor(everyMs: number, burst: number) {
    this.#everyMs = everyMs;
    this.#leadMs = (burst - 1) * everyMs;
  }

  /** Takes the next turn. Returns in how many milliseconds that is: 0 for now. */
  next(nowMs: number): number {
    const dueMs = Math.max(this.#dueMs, nowMs - this.#leadMs);
    this.#dueMs = dueMs + this.#everyMs;
    return Math.max(0, dueMs - nowMs);
  }
}
