import { describe, expect, it } from "vitest";
import type { WorkCommand } from "../../src/core/decide.ts";
import type { WorkRecord } from "../../src/core/records.ts";
import {
  ACTIVE,
  ack,
  applied,
  DELIVERED,
  deliver,
  fault,
  heartbeat,
  lapse,
  QUEUED,
  release,
  run,
  SECOND,
  STARTING,
  STOPPED,
  STOPPING,
  stop,
  T0,
  value,
} from "./support/items.ts";

const NOW = T0 + 500 * SECOND;

/** Delivered to the worker, acknowledged by it and never heard of again. */
const lost = (item: WorkRecord, workerId: string | null): WorkRecord =>
  applied(applied(applied(item, deliver(workerId), NOW), ack(workerId), NOW), lapse, NOW + 100 * SECOND);

const refusedFor = (item: WorkRecord, command: WorkCommand) => fault(run(item, command, NOW)).kind;

describe("the owner of a held item", () => {
  const HELD: readonly (readonly [string, WorkRecord])[] = [
    ["starting", STARTING],
    ["active", ACTIVE],
    ["stopping", STOPPING],
  ];

  it.each(HELD)("is the only worker that can move a %s item under a name", (_, item) => {
    for (const command of [heartbeat("w2", undefined), stop("w2"), stop("w2", true)]) {
      expect(refusedFor(item, command)).toBe("work_conflict");
    }
    expect(value(run(item, heartbeat("w1", undefined), NOW)).changed).toBe(true);
  });

  it.each([...HELD])("does not stand in the way of a caller without a name: %s", (_, item) => {
    expect(value(run(item, stop(null, true), NOW)).item.state).toBe("stopped");
    expect(value(run(item, heartbeat(null, item.latestHeartbeatAt), NOW)).changed).toBe(true);
  });

  it("is the only worker that can release the item under a name", () => {
    expect(refusedFor(ACTIVE, release("w2"))).toBe("work_conflict");
    expect(applied(ACTIVE, release("w1"), NOW).state).toBe("queued");
    expect(applied(ACTIVE, release(null), NOW).state).toBe("queued");
  });

  it("is the first worker that a heartbeat names, when delivery and ack named none", () => {
    const nameless = applied(applied(QUEUED, deliver(null), NOW), ack(null), NOW);
    const held = applied(nameless, heartbeat("w1", null), NOW);
    expect(held.holder).toBe("w1");
    expect(refusedFor(held, heartbeat("w2", held.latestHeartbeatAt))).toBe("work_conflict");
  });

  it("stays the owner of the stopped item: its repeated stop is answered, that of another worker is not", () => {
    expect(value(run(STOPPED, stop("w1"), NOW))).toEqual({ item: STOPPED, changed: false });
    expect(value(run(STOPPED, stop(null), NOW))).toEqual({ item: STOPPED, changed: false });
    expect(refusedFor(STOPPED, stop("w2"))).toBe("work_conflict");
  });
});

describe("a worker whose hand-out is over", () => {
  it("cannot stop the item while it is queued for another", () => {
    const requeued = lost(QUEUED, "w1");
    for (const force of [false, true]) expect(refusedFor(requeued, stop("w1", force))).toBe("work_conflict");
  });

  it("cannot stop it while another worker has it, delivered or held", () => {
    const delivered = applied(lost(QUEUED, "w1"), deliver("w2"), NOW);
    expect(refusedFor(delivered, stop("w1"))).toBe("work_conflict");
    expect(refusedFor(applied(delivered, ack("w2"), NOW), stop("w1"))).toBe("work_conflict");
  });

  it("cannot stop it after the next holder has lost it too", () => {
    expect(refusedFor(lost(lost(QUEUED, "w1"), "w2"), stop("w1"))).toBe("work_conflict");
    expect(refusedFor(lost(lost(QUEUED, "w1"), null), stop("w1"))).toBe("work_conflict");
  });

  it("cannot stop it while a caller without a name has it", () => {
    const nameless = applied(lost(QUEUED, "w1"), deliver(null), NOW);
    expect(refusedFor(nameless, stop("w1"))).toBe("work_conflict");
    expect(refusedFor(applied(nameless, ack(null), NOW), stop("w1"))).toBe("work_conflict");
  });

  it("can stop it when it was given the item anew", () => {
    expect(applied(applied(lost(QUEUED, "w1"), deliver("w1"), NOW), stop("w1"), NOW).state).toBe("stopped");
  });

  it("does not keep a caller without a name from stopping it", () => {
    expect(applied(lost(QUEUED, "w1"), stop(null), NOW).state).toBe("stopped");
  });

  it("meets a conflict or a failed comparison on every other call", () => {
    const requeued = lost(QUEUED, "w1");
    expect(refusedFor(requeued, heartbeat("w1", T0))).toBe("work_conflict");
    expect(refusedFor(requeued, release("w1"))).toBe("work_conflict");
    const namelessHeld = applied(applied(requeued, deliver(null), NOW), ack(null), NOW);
    expect(refusedFor(namelessHeld, heartbeat("w1", T0))).toBe("precondition_failed");
  });
});

describe("a stop of an item that is still queued", () => {
  it("is refused to a worker other than the one it was delivered to", () => {
    expect(refusedFor(DELIVERED, stop("w2"))).toBe("work_conflict");
    expect(applied(DELIVERED, stop("w1"), NOW).state).toBe("stopped");
  });

  it("is accepted from a named worker while nobody ever had it", () => {
    expect(applied(QUEUED, stop("w1"), NOW).state).toBe("stopped");
  });
});
