import { MICROS_PER_MS, type Micros } from "./time.ts";

/** Where "now" comes from. Only a store owns one: leases are judged by the store's clock and by no other. */
export interface Clock {
  now(): Micros;
}

/** How far the wall clock may differ before it is followed at all: `Date.now()` itself is only exact to 1 ms. */
const TOLERANCE_MICROS = 2 * MICROS_PER_MS;
/** A difference is worked off at this share of the time that passes. */
const SLEW = 0.1;

/**
 * A clock that measures leases by elapsed time and drifts towards the wall clock instead of jumping with it.
 *
 * A step of the wall clock (NTP after a long pause, an operator's `date`, a resumed virtual machine) must neither end
 * leases early nor freeze them. So time always advances with the monotonic source, and a difference to the wall clock
 * is absorbed at ten per cent of the passing time. Readings strictly increase.
 */
export class SteadyClock implements Clock {
  readonly #wall: () => Micros;
  readonly #elapsed: () => Micros;
  #lastElapsed: Micros;
  #current: Micros;
  #lastReading: Micros;

  /**
   * @param wall the wall clock in microseconds
   * @param elapsed a monotonic counter in microseconds with any origin
   */
  constructor(wall: () => Micros, elapsed: () => Micros) {
    this.#wall = wall;
    this.#elapsed = elapsed;
    this.#lastElapsed = elapsed();
    this.#current = wall();
    this.#lastReading = Math.floor(this.#current) - 1;
  }

  now(): Micros {
    const elapsed = this.#elapsed();
    const passed = elapsed - this.#lastElapsed;
    this.#lastElapsed = elapsed;
    this.#current += passed;
    const difference = this.#wall() - this.#current;
    if (Math.abs(difference) > TOLERANCE_MICROS) {
      this.#current += Math.sign(difference) * Math.min(Math.abs(difference), passed * SLEW);
    }
    this.#lastReading = Math.max(Math.floor(this.#current), this.#lastReading + 1);
    return this.#lastReading;
  }
}
