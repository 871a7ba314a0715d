import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clampTtlSeconds } from "../../src/core/lease.ts";
import type { WorkRecord } from "../../src/core/records.ts";
import { formatTime } from "../../src/core/time.ts";
import {
  ACTIVE,
  ack,
  applied,
  deliver,
  fault,
  heartbeat,
  lapse,
  POLICY,
  release,
  run,
  SECOND,
  STARTING,
  STOPPING,
  stop,
  T0,
  value,
} from "./support/items.ts";

const NOW = T0 + 10 * SECOND;
const LAST = ACTIVE.latestHeartbeatAt as number;

describe("the expected value of a heartbeat", () => {
  it("NO_HEARTBEAT matches an item without one, and no other", () => {
    expect(applied(STARTING, heartbeat("w1", null), NOW).latestHeartbeatAt).toBe(NOW);
    expect(fault(run(ACTIVE, heartbeat("w1", null), NOW)).kind).toBe("precondition_failed");
  });

  it("as a time matches the stored instant to the microsecond", () => {
    expect(applied(ACTIVE, heartbeat("w1", LAST), NOW).latestHeartbeatAt).toBe(NOW);
    for (const near of [LAST - 1, LAST + 1, LAST + 0.5]) {
      expect(fault(run(ACTIVE, heartbeat("w1", near), NOW)).kind).toBe("precondition_failed");
    }
  });

  it("as a time does not match an item without a heartbeat", () => {
    expect(fault(run(STARTING, heartbeat("w1", LAST), NOW)).message).toContain("NO_HEARTBEAT");
  });

  it("left out is unconditional", () => {
    for (const item of [STARTING, ACTIVE, STOPPING]) {
      expect(applied(item, heartbeat("w1", undefined), NOW).latestHeartbeatAt).toBe(NOW);
    }
  });

  it("is compared in stopping too", () => {
    expect(fault(run(STOPPING, heartbeat("w1", LAST - 1), NOW)).kind).toBe("precondition_failed");
    expect(applied(STOPPING, heartbeat("w1", LAST), NOW)).toMatchObject({ state: "stopping", latestHeartbeatAt: NOW });
  });

  it("is not given away by the refusal: whoever lost the item must not get back in with it", () => {
    expect(fault(run(ACTIVE, heartbeat("w1", null), NOW)).message).not.toContain(formatTime(LAST));
  });
});

describe("the value of a heartbeat", () => {
  it("is the start of the item exactly once per hand-out", () => {
    const second = applied(ACTIVE, heartbeat("w1", LAST), NOW);
    expect(second).toMatchObject({ startedAt: LAST, latestHeartbeatAt: NOW });
  });

  it("does not start an item that was asked to stop before it", () => {
    const stopping = applied(STARTING, stop(null), NOW);
    const next = applied(stopping, heartbeat("w1", null), NOW);
    expect(next).toMatchObject({ state: "stopping", startedAt: null, latestHeartbeatAt: NOW });
  });

  it("ascends strictly when the clock stands still or steps back", () => {
    const still = applied(ACTIVE, heartbeat("w1", LAST), LAST);
    expect(still.latestHeartbeatAt).toBe(LAST + 1);
    const back = applied(still, heartbeat("w1", LAST + 1), LAST - 3600 * SECOND);
    expect(back.latestHeartbeatAt).toBe(LAST + 2);
  });

  it("ascends strictly over hand-outs, whatever the clock does between them", () => {
    const requeued = applied(ACTIVE, release("w1"), LAST);
    const again = applied(applied(requeued, deliver("w2"), LAST), ack("w2"), LAST - 50 * SECOND);
    const first = applied(again, heartbeat("w2", null), LAST - 50 * SECOND);
    expect(first.latestHeartbeatAt).toBe(LAST + 1);
    expect(first.startedAt).toBe(LAST + 1);
  });

  it("is new for any sequence of clock readings", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1_000_000, max: 1_000_000 }), { maxLength: 30 }), (steps) => {
        let item: WorkRecord = ACTIVE;
        const seen = [LAST];
        for (const step of steps) {
          item = applied(item, heartbeat("w1", item.latestHeartbeatAt), LAST + step);
          seen.push(item.latestHeartbeatAt as number);
        }
        expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
      }),
    );
  });
});

describe("a repeated heartbeat", () => {
  const beaten = applied(ACTIVE, heartbeat("w1", LAST, { key: "k1", ttlSeconds: 30 }), NOW);

  it("that declares itself gets the first answer and extends nothing", () => {
    const retry = heartbeat("w1", LAST, { retry: true, ttlSeconds: 600 });
    expect(value(run(beaten, retry, NOW + SECOND))).toEqual({ item: beaten, changed: false });
  });

  it("that carries the same idempotency key gets the first answer", () => {
    expect(value(run(beaten, heartbeat("w1", LAST, { key: "k1" }), NOW + SECOND)).changed).toBe(false);
    expect(fault(run(beaten, heartbeat("w1", LAST, { key: "k2" }), NOW + SECOND)).kind).toBe("precondition_failed");
  });

  it("that declares nothing is a failed comparison", () => {
    expect(fault(run(beaten, heartbeat("w1", LAST), NOW)).kind).toBe("precondition_failed");
  });

  it("of the first heartbeat is recognised by NO_HEARTBEAT", () => {
    expect(value(run(ACTIVE, heartbeat("w1", null, { retry: true }), NOW))).toEqual({ item: ACTIVE, changed: false });
  });

  it("of the last but one is a failed comparison, declared or not", () => {
    expect(fault(run(beaten, heartbeat("w1", null, { retry: true }), NOW)).kind).toBe("precondition_failed");
  });

  it("of another worker is a conflict, declared or not", () => {
    expect(fault(run(beaten, heartbeat("w2", LAST, { retry: true }), NOW)).kind).toBe("work_conflict");
  });

  it("of an earlier hand-out is not taken for one of this hand-out", () => {
    const requeued = applied(beaten, lapse, NOW + 100 * SECOND);
    const next = applied(applied(requeued, deliver("w1"), NOW + 100 * SECOND), ack("w1"), NOW + 100 * SECOND);
    const late = heartbeat("w1", LAST, { retry: true, key: "k1" });
    expect(fault(run(next, late, NOW + 101 * SECOND)).kind).toBe("precondition_failed");
  });

  it("that carries the current value is a heartbeat like any other", () => {
    const next = applied(beaten, heartbeat("w1", NOW, { retry: true }), NOW + SECOND);
    expect(next.latestHeartbeatAt).toBe(NOW + SECOND);
  });

  it("after a stop request still gets the answer of its own time", () => {
    const stopping = applied(beaten, stop(null), NOW + SECOND);
    const answer = value(run(stopping, heartbeat("w1", LAST, { retry: true }), NOW + 2 * SECOND));
    expect(answer).toEqual({ item: stopping, changed: false });
    expect(answer.item.beat).toMatchObject({ stopping: false, ttlSeconds: 30 });
  });
});

describe("a heartbeat of a stopping item", () => {
  const policy = { ...POLICY, drainSeconds: 100 };
  const stopping = applied(ACTIVE, stop(null), NOW, policy);

  it("extends the lease by its whole TTL while that ends before the drain limit", () => {
    const next = applied(stopping, heartbeat("w1", LAST, { ttlSeconds: 60 }), NOW + 40 * SECOND, policy);
    expect(next).toMatchObject({ deadlineAt: NOW + 100 * SECOND, beat: { ttlSeconds: 60, stopping: true } });
  });

  it("extends the lease to the drain limit and no further", () => {
    const next = applied(stopping, heartbeat("w1", LAST, { ttlSeconds: 60 }), NOW + 70 * SECOND, policy);
    expect(next).toMatchObject({ deadlineAt: NOW + 100 * SECOND, beat: { ttlSeconds: 30 } });
  });

  it("extends nothing after the drain limit, and is accepted all the same", () => {
    const late = applied(stopping, heartbeat("w1", LAST, { ttlSeconds: 60 }), NOW + 100 * SECOND, policy);
    expect(late).toMatchObject({ state: "stopping", deadlineAt: stopping.deadlineAt, beat: { ttlSeconds: 0 } });
    expect(late.latestHeartbeatAt).toBe(NOW + 100 * SECOND);
  });

  it("never moves the deadline beyond the drain limit, whatever is asked for and whenever", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 60 }), fc.integer({ min: 10, max: 600 }))), (beats) => {
        let item = stopping;
        let now = NOW;
        for (const [passed, ttlSeconds] of beats) {
          now += passed * SECOND;
          item = applied(item, heartbeat("w1", item.latestHeartbeatAt, { ttlSeconds }), now, policy);
          expect(item.deadlineAt).toBeLessThanOrEqual(NOW + 100 * SECOND);
          expect(item.sweepAt).toBeLessThanOrEqual(item.deadlineAt as number);
        }
      }),
    );
  });
});

describe("the TTL that a worker asks for", () => {
  it("is brought into 10 to 600 seconds, and is 60 when none is named", () => {
    expect([undefined, 1, 9, 10, 11, 599, 600, 601, Number.MAX_SAFE_INTEGER].map(clampTtlSeconds)).toEqual([
      60, 10, 10, 10, 11, 599, 600, 600, 600,
    ]);
  });
});
