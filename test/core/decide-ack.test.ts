import { describe, expect, it } from "vitest";
import {
  ACTIVE,
  ack,
  applied,
  DELIVERED,
  deliver,
  fault,
  heartbeat,
  QUEUED,
  run,
  SECOND,
  STARTING,
  STOPPED,
  STOPPING,
  T0,
  value,
} from "./support/items.ts";

const NOW = T0 + 10 * SECOND;

describe("a delivery", () => {
  it("records when and to whom, and begins a hand-out", () => {
    const next = applied(QUEUED, deliver("w1"), NOW);
    expect(next).toMatchObject({ state: "queued", deliveredAt: NOW, deliveredTo: "w1", handOut: 1 });
  });

  it("of an item that nobody acknowledged replaces the worker and begins the next hand-out", () => {
    expect(applied(DELIVERED, deliver("w2"), NOW)).toMatchObject({ deliveredAt: NOW, deliveredTo: "w2", handOut: 2 });
  });

  it("to a caller without a name clears the recorded worker", () => {
    expect(applied(DELIVERED, deliver(null), NOW).deliveredTo).toBeNull();
  });

  it("uses up the delay of a release", () => {
    const delayed = { ...QUEUED, availableAt: T0 + 5 * SECOND };
    expect(applied(delayed, deliver("w1"), NOW).availableAt).toBeNull();
  });
});

describe("an ack", () => {
  it("takes the item for the worker it was delivered to, within that delivery's hand-out", () => {
    const next = applied(DELIVERED, ack("w1", "evt_05"), NOW);
    expect(next).toMatchObject({ state: "starting", holder: "w1", handOut: 1, ackedThrough: "evt_05" });
    expect(next).toMatchObject({ deliveredAt: null, deliveredTo: null });
  });

  it("of a worker to which a later delivery did not go is refused and writes nothing", () => {
    const redelivered = applied(DELIVERED, deliver("w2"), NOW);
    expect(fault(run(redelivered, ack("w1"), NOW)).kind).toBe("work_conflict");
    expect(applied(redelivered, ack("w2"), NOW).holder).toBe("w2");
  });

  it("compares workers only when both the delivery and the ack name one", () => {
    expect(applied(DELIVERED, ack(null), NOW).holder).toBe("w1");
    expect(applied(applied(DELIVERED, deliver(null), NOW), ack("w2"), NOW).holder).toBe("w2");
  });

  it("of an item that was never delivered is accepted and begins a hand-out of its own", () => {
    expect(applied(QUEUED, ack("w2"), NOW)).toMatchObject({ state: "starting", holder: "w2", handOut: 1 });
  });

  it("repeated by the same worker answers the same and writes nothing, in starting and in active", () => {
    for (const item of [STARTING, ACTIVE]) {
      expect(value(run(item, ack("w1", "evt_99"), NOW))).toEqual({ item, changed: false });
      expect(value(run(item, ack(null, "evt_99"), NOW))).toEqual({ item, changed: false });
    }
  });

  it("of another worker is refused once the item is held", () => {
    for (const item of [STARTING, ACTIVE]) expect(fault(run(item, ack("w2"), NOW)).kind).toBe("work_conflict");
  });

  it("is refused to anyone once a stop was requested", () => {
    for (const item of [STOPPING, STOPPED]) {
      for (const worker of ["w1", "w2", null]) expect(fault(run(item, ack(worker), NOW)).kind).toBe("work_conflict");
    }
  });

  it("that is the first to name a worker binds the hand-out to it, which no stamp shows", () => {
    const nameless = applied(applied(QUEUED, deliver(null), NOW), ack(null), NOW);
    const bound = value(run(nameless, ack("w1"), NOW + SECOND));
    expect(bound).toEqual({ item: { ...nameless, holder: "w1" }, changed: true });
    expect(fault(run(bound.item, ack("w2"), NOW + SECOND)).kind).toBe("work_conflict");
  });

  it("never comes before the creation, also when the clock has stepped back", () => {
    const next = applied(DELIVERED, ack("w1"), T0 - 3600 * SECOND);
    expect(next.acknowledgedAt).toBe(T0);
    expect(applied(next, heartbeat("w1", null), T0 - 3600 * SECOND).startedAt).toBeGreaterThanOrEqual(T0);
  });
});
