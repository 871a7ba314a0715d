import type { Clock } from "../../src/core/clock.ts";
import { type Micros, secondsToMicros } from "../../src/core/time.ts";

/** A clock that stands still until the test moves it. */
export class FakeClock implements Clock {
  #now: Micros = Date.UTC(2026, 6, 1, 8, 0, 0) * 1_000;

  now(): Micros {
    return this.#now;
  }

  advanceMicros(micros: Micros): void {
    this.#now += micros;
  }

  advanceSeconds(seconds: number): void {
    this.advanceMicros(secondsToMicros(seconds));
  }
}
