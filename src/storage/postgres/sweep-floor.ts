import { type Micros, secondsToMicros } from "../../core/time.ts";

/** What is younger than this may not have been committed yet when a sweep looked. */
const MARGIN_MICROS = secondsToMicros(10);
/** How often a sweep begins at the very beginning, in case that a commit took longer than that. */
const RESET_MS = 60_000;

/**
 * Where a sweep begins to look: at the first lease that it saw the last time. Items that ended before their lease did
 * leave dead entries there, and for as long as some forgotten transaction keeps those, a sweep would read past all of them.
 * A lease that begins always ends in the future, so nothing comes in below.
 */
export class SweepFloor {
  #from: Micros = 0;
  #resetAt = performance.now() + RESET_MS;

  get from(): Micros {
    if (performance.now() >= this.#resetAt) {
      this.#from = 0;
      this.#resetAt = performance.now() + RESET_MS;
    }
    return this.#from;
  }

  /**
   * Takes the place from what a sweep has seen; a clock that went back lowers it.
   *
   * @param first the first lease, over or not, locked by another or not; `null` for none
   */
  raise(first: Micros | null, now: Micros): void {
    this.#from = Math.min(first ?? now, now - MARGIN_MICROS);
  }
}
