import { describe, expect, it } from "vitest";
import { extendedLease, isClaimable, isHandOutLive } from "../../src/core/lease.ts";
import {
  ACTIVE,
  applied,
  DELIVERED,
  deliver,
  lapse,
  POLICY,
  QUEUED,
  release,
  SECOND,
  STARTING,
  STOPPED,
  STOPPING,
  T0,
} from "./support/items.ts";

const NOW = T0 + 10 * SECOND;

describe("an item that can be claimed", () => {
  it("is queued and was never delivered", () => {
    expect(isClaimable(QUEUED, NOW, 0)).toBe(true);
    for (const item of [STARTING, ACTIVE, STOPPING, STOPPED]) expect(isClaimable(item, NOW + 9e12, 0)).toBe(false);
  });

  it("stays claimable for a window so long that nothing can be that old, while it was not delivered", () => {
    const longest = Number.MAX_SAFE_INTEGER * 1_000;
    expect(isClaimable(QUEUED, NOW, longest)).toBe(true);
    expect(isClaimable(DELIVERED, NOW + 9e12, longest)).toBe(false);
  });
});

describe("a hand-out", () => {
  it("goes on from its delivery to the stop", () => {
    for (const item of [DELIVERED, STARTING, ACTIVE, STOPPING]) expect(isHandOutLive(item, 1)).toBe(true);
    expect(isHandOutLive(STOPPED, 1)).toBe(false);
  });

  it("is over with a lapse, a release and the next delivery", () => {
    expect(isHandOutLive(applied(ACTIVE, lapse, NOW + 100 * SECOND), 1)).toBe(false);
    expect(isHandOutLive(applied(ACTIVE, release("w1"), NOW), 1)).toBe(false);
    const redelivered = applied(DELIVERED, deliver("w2"), NOW);
    expect([isHandOutLive(redelivered, 1), isHandOutLive(redelivered, 2)]).toEqual([false, true]);
  });

  it("has not begun before it", () => {
    expect(isHandOutLive(QUEUED, 0)).toBe(false);
    expect(isHandOutLive(DELIVERED, 2)).toBe(false);
  });
});

describe("the lease of a stopping item", () => {
  const policy = { ...POLICY, drainSeconds: 30 };
  const limit = (STOPPING.stopRequestedAt as number) + 30 * SECOND;

  it("is told in whole seconds, rounded down to no less than one, when the drain limit cuts it", () => {
    const item = { ...STOPPING, deadlineAt: limit };
    const told = (left: number) => extendedLease(item, limit - left, 10, policy);
    for (const left of [10 * SECOND + 1, 10 * SECOND]) {
      expect(told(left)).toEqual({ deadlineAt: limit - left + 10 * SECOND, ttlSeconds: 10 });
    }
    expect(told(10 * SECOND - 1)).toEqual({ deadlineAt: limit, ttlSeconds: 9 });
    expect(told(2 * SECOND)).toEqual({ deadlineAt: limit, ttlSeconds: 2 });
    expect(told(2 * SECOND - 1)).toEqual({ deadlineAt: limit, ttlSeconds: 1 });
    expect(told(1)).toEqual({ deadlineAt: limit, ttlSeconds: 1 });
    expect(told(0)).toEqual({ deadlineAt: limit, ttlSeconds: 0 });
  });

  it("follows a drain limit that the environment changed meanwhile", () => {
    const longer = { ...policy, drainSeconds: 600 };
    expect(extendedLease(STOPPING, limit + SECOND, 60, longer).ttlSeconds).toBe(60);
    const shorter = { ...policy, drainSeconds: 1 };
    expect(extendedLease(STOPPING, limit, 60, shorter)).toEqual({ deadlineAt: STOPPING.deadlineAt, ttlSeconds: 0 });
  });
});
