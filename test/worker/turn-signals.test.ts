import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TurnAborted } from "../../src/worker/index.ts";
import { TurnSignals } from "../../src/worker/turn-signals.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("a turn is asked first, and forced when the grace period is over", () => {
  const signals = new TurnSignals();
  signals.abort("stop_requested", "Somebody asked.", 20_000);
  expect(signals.signal.aborted).toBe(true);
  expect(signals.signal.reason).toBeInstanceOf(TurnAborted);
  expect(signals.signal.reason).toMatchObject({ reason: "stop_requested", message: "Somebody asked." });
  vi.advanceTimersByTime(19_999);
  expect(signals.forced.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(signals.forced.aborted).toBe(true);
});

test("a lost lease forces at once, whatever was said before", () => {
  const signals = new TurnSignals();
  signals.abort("stop_requested", "asked", 20_000);
  signals.abort("lease_lost", "lost", 0);
  expect(signals.forced.aborted).toBe(true);
  expect(signals.reason).toBe("lease_lost");
  signals.abort("stop_requested", "asked", 0);
  expect([signals.reason, signals.message]).toEqual(["lease_lost", "lost"]);
});

test("a later call may shorten the grace period, and never lengthens it", () => {
  const signals = new TurnSignals();
  signals.abort("stop_requested", "asked", 10_000);
  signals.abort("shutdown", "ends", 2_000);
  signals.abort("stop_requested", "asked again", 60_000);
  expect(signals.reason).toBe("stop_requested");
  vi.advanceTimersByTime(1_999);
  expect(signals.forced.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(signals.forced.aborted).toBe(true);
});

test("a stop request outweighs a shutdown that came first, without more time", () => {
  const signals = new TurnSignals();
  signals.abort("shutdown", "ends", 2_000);
  signals.abort("stop_requested", "asked", 20_000);
  expect([signals.reason, signals.message]).toEqual(["stop_requested", "asked"]);
  vi.advanceTimersByTime(2_000);
  expect(signals.forced.aborted).toBe(true);
});

test("a turn that is over is not forced any more", () => {
  const signals = new TurnSignals();
  signals.abort("shutdown", "ends", 2_000);
  signals.close();
  vi.advanceTimersByTime(10_000);
  expect(signals.forced.aborted).toBe(false);
});
