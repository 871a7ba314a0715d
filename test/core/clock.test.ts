import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SteadyClock } from "../../src/core/clock.ts";
import { SECOND, T0 } from "./support/items.ts";

/** A wall clock and a monotonic counter that a test moves. */
function sources() {
  const at = { wall: T0, elapsed: 5_000 };
  const clock = new SteadyClock(
    () => at.wall,
    () => at.elapsed,
  );
  const pass = (micros: number, step = 0): void => {
    at.elapsed += micros;
    at.wall += micros + step;
  };
  return { clock, at, pass };
}

describe("the steady clock", () => {
  it("begins at the wall clock and goes with it", () => {
    const { clock, pass } = sources();
    expect(clock.now()).toBe(T0);
    pass(90 * SECOND);
    expect(clock.now()).toBe(T0 + 90 * SECOND);
  });

  it("gives strictly increasing whole microseconds, whatever its sources do", () => {
    const move = fc.tuple(fc.double({ min: 0, max: 1e9, noNaN: true }), fc.integer({ min: -1e10, max: 1e10 }));
    fc.assert(
      fc.property(fc.array(fc.oneof(move, fc.constant([0, 0] as const))), (moves) => {
        const { clock, pass } = sources();
        let last = clock.now();
        for (const [passed, step] of moves) {
          pass(passed, step);
          const reading = clock.now();
          expect(reading).toBeGreaterThan(last);
          expect(Number.isSafeInteger(reading)).toBe(true);
          last = reading;
        }
      }),
    );
  });

  it.each([
    ["forward", 3_600 * SECOND],
    ["back", -3_600 * SECOND],
  ])("does not jump when the wall clock steps %s", (_, step) => {
    const { clock, at, pass } = sources();
    clock.now();
    at.wall += step;
    expect(clock.now()).toBe(T0 + 1);
    pass(10 * SECOND);
    expect(clock.now()).toBe(T0 + 10 * SECOND + Math.sign(step) * SECOND);
  });

  it("works a difference off at ten per cent of the time that passes, then follows the wall clock", () => {
    const { clock, at, pass } = sources();
    at.wall += 60 * SECOND;
    let reading = clock.now();
    for (let second = 0; second < 599; second += 1) {
      pass(SECOND);
      const next = clock.now();
      expect(next - reading).toBe(1.1 * SECOND);
      reading = next;
    }
    for (let second = 0; second < 10; second += 1) {
      pass(SECOND);
      reading = clock.now();
    }
    expect(Math.abs(reading - at.wall)).toBeLessThanOrEqual(2_000);
  });

  it("never measures a span off by more than ten per cent, however often the wall clock steps", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 60 }), fc.integer({ min: -9_000, max: 9_000 }))), (moves) => {
        const { clock, pass } = sources();
        const start = clock.now();
        let passed = 0;
        for (const [seconds, stepSeconds] of moves) {
          pass(seconds * SECOND, stepSeconds * SECOND);
          passed += seconds * SECOND;
          clock.now();
        }
        const measured = clock.now() - start;
        expect(Math.abs(measured - passed)).toBeLessThanOrEqual(passed * 0.1 + moves.length + 2);
      }),
    );
  });

  it("does not chase the grain of the wall clock", () => {
    const { clock, at, pass } = sources();
    clock.now();
    pass(SECOND);
    at.wall -= 900;
    expect(clock.now()).toBe(T0 + SECOND);
  });
});
