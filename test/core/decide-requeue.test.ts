import { describe, expect, it } from "vitest";
import { undeliver } from "../../src/core/decide.ts";
import { isClaimable } from "../../src/core/lease.ts";
import type { WorkRecord } from "../../src/core/records.ts";
import {
  ACTIVE,
  ack,
  applied,
  DELIVERED,
  deliver,
  lapse,
  POLICY,
  QUEUED,
  release,
  run,
  SECOND,
  STARTING,
  STOPPED,
  T0,
} from "./support/items.ts";

const NOW = T0 + 10 * SECOND;
const DEADLINE = ACTIVE.deadlineAt as number;
const WINDOW = 5 * SECOND;

describe("a lapse", () => {
  it("puts the item back under the same id, as if nobody had had it, with one attempt used", () => {
    const next = applied(ACTIVE, lapse, DEADLINE);
    expect(next).toEqual({
      ...QUEUED,
      handOut: ACTIVE.handOut,
      attempts: 1,
      formerHolder: "w1",
      heartbeatFloor: ACTIVE.heartbeatFloor,
    });
  });

  it("can be claimed at once", () => {
    expect(isClaimable(applied(STARTING, lapse, DEADLINE), DEADLINE, WINDOW)).toBe(true);
  });

  it("is an error before the deadline, and none at it", () => {
    expect(() => run(ACTIVE, lapse, DEADLINE - 1)).toThrow("before its deadline");
    expect(applied(ACTIVE, lapse, DEADLINE).state).toBe("queued");
  });

  it("ends the item with the last attempt, without a stop request", () => {
    const policy = { ...POLICY, maxAttempts: 2 };
    const once = applied(ACTIVE, lapse, DEADLINE, policy);
    expect(once).toMatchObject({ state: "queued", attempts: 1 });
    const again = applied(applied(once, deliver("w2"), DEADLINE, policy), ack("w2"), DEADLINE, policy);
    const given = applied(again, lapse, DEADLINE + 60 * SECOND, policy);
    expect(given).toMatchObject({ state: "stopped", attempts: 2, stopRequestedAt: null });
    expect(given.stoppedAt).toBe(DEADLINE + 60 * SECOND);
  });

  it("never ends the item when there is no limit", () => {
    const tried = { ...ACTIVE, attempts: 1_000_000 };
    expect(applied(tried, lapse, DEADLINE, { ...POLICY, maxAttempts: 0 }).state).toBe("queued");
  });

  it("ends the item when the limit was lowered below what was tried already", () => {
    const tried: WorkRecord = { ...ACTIVE, attempts: 7 };
    expect(applied(tried, lapse, DEADLINE, { ...POLICY, maxAttempts: 3 }).state).toBe("stopped");
  });
});

describe("a release", () => {
  it("puts the item back at once and uses no attempt", () => {
    const next = applied(ACTIVE, release("w1"), NOW);
    expect(next).toMatchObject({ state: "queued", attempts: 0, availableAt: null, formerHolder: "w1", holder: null });
    expect(isClaimable(next, NOW, WINDOW)).toBe(true);
  });

  it("with a delay keeps the item back until the delay is over", () => {
    const next = applied(STARTING, release("w1", 1_500), NOW);
    expect(isClaimable(next, NOW + 1_500_000 - 1, WINDOW)).toBe(false);
    expect(isClaimable(next, NOW + 1_500_000, WINDOW)).toBe(true);
  });
});

describe("a delivery that nobody acknowledged", () => {
  const deliveredAt = DELIVERED.deliveredAt as number;

  it("can be handed out again when the caller's window is over, not before", () => {
    expect(isClaimable(DELIVERED, deliveredAt + WINDOW - 1, WINDOW)).toBe(false);
    expect(isClaimable(DELIVERED, deliveredAt + WINDOW, WINDOW)).toBe(true);
  });

  it("can be handed out again at once to a caller with a window of 0", () => {
    expect(isClaimable(DELIVERED, deliveredAt, 0)).toBe(true);
  });

  it("is no delivery any more once it is acknowledged", () => {
    expect(isClaimable(STARTING, NOW + 1_000 * SECOND, 0)).toBe(false);
  });
});

describe("a delivery whose caller had hung up", () => {
  it("is taken back, so that the item is free at once", () => {
    const restored = undeliver(DELIVERED, DELIVERED.handOut) as WorkRecord;
    expect(restored).toMatchObject({ state: "queued", deliveredAt: null, deliveredTo: null, handOut: 1 });
    expect(isClaimable(restored, DELIVERED.deliveredAt as number, WINDOW)).toBe(true);
  });

  it("keeps the number of its hand-out used up: the next delivery begins another", () => {
    const restored = undeliver(DELIVERED, DELIVERED.handOut) as WorkRecord;
    expect(applied(restored, deliver("w2"), NOW).handOut).toBe(2);
  });

  it("is left alone once the item went to someone else, was acknowledged or was stopped", () => {
    expect(undeliver(applied(DELIVERED, deliver("w2"), NOW), DELIVERED.handOut)).toBeUndefined();
    expect(undeliver(STARTING, STARTING.handOut)).toBeUndefined();
    expect(undeliver(STOPPED, STOPPED.handOut)).toBeUndefined();
    expect(undeliver(QUEUED, QUEUED.handOut)).toBeUndefined();
  });
});
