import { describe, expect, it } from "vitest";
import {
  ACTIVE,
  applied,
  heartbeat,
  lapse,
  QUEUED,
  run,
  SECOND,
  STARTING,
  STOPPING,
  stop,
  T0,
  value,
} from "./support/items.ts";

const NOW = T0 + 10 * SECOND;

describe("a stop request", () => {
  it("ends an item at once that no worker holds", () => {
    expect(applied(QUEUED, stop(null), NOW)).toMatchObject({ state: "stopped", stopRequestedAt: NOW, stoppedAt: NOW });
  });

  it("of a held item is a request: the worker goes on until it confirms", () => {
    for (const item of [STARTING, ACTIVE]) {
      expect(applied(item, stop(null), NOW)).toMatchObject({
        state: "stopping",
        stopRequestedAt: NOW,
        stoppedAt: null,
      });
    }
  });

  it("keeps its first instant when it is repeated or forced", () => {
    for (const force of [false, true]) {
      const next = applied(STOPPING, stop("w1", force), NOW);
      expect(next).toMatchObject({ stopRequestedAt: STOPPING.stopRequestedAt, stoppedAt: NOW });
    }
  });

  it("keeps what the worker said it has dealt with, until it says something else", () => {
    const told = applied(ACTIVE, stop("w1", false, "evt_07"), NOW);
    expect(told.processedThrough).toBe("evt_07");
    expect(applied(told, stop("w1"), NOW).processedThrough).toBe("evt_07");
    expect(applied(told, stop("w1", false, "evt_08"), NOW).processedThrough).toBe("evt_08");
  });

  it("leaves the holder on the stopped item, and no deadline", () => {
    const stopped = applied(ACTIVE, stop(null, true), NOW);
    expect(stopped).toMatchObject({ holder: "w1", deadlineAt: null, sweepAt: null });
  });

  it("never comes before the creation, nor does the end come before the request or the last heartbeat", () => {
    const before = T0 - 3600 * SECOND;
    expect(applied(QUEUED, stop(null), before)).toMatchObject({ stopRequestedAt: T0, stoppedAt: T0 });
    expect(applied(STOPPING, stop("w1"), before).stoppedAt).toBe(STOPPING.stopRequestedAt);
    const beaten = applied(STOPPING, heartbeat("w1", STOPPING.latestHeartbeatAt), NOW);
    expect(applied(beaten, stop("w1"), before).stoppedAt).toBe(NOW);
  });
});

describe("a stopping item", () => {
  it("is stopped when its lease runs out", () => {
    const deadline = STOPPING.deadlineAt as number;
    expect(applied(STOPPING, lapse, deadline)).toMatchObject({ state: "stopped", stoppedAt: deadline, attempts: 0 });
  });

  it("does not come back to the queue, however many attempts are left", () => {
    const policy = { maxAttempts: 0, drainSeconds: 600, startSeconds: 60 };
    expect(value(run(STOPPING, lapse, NOW + 1000 * SECOND, policy)).item.state).toBe("stopped");
  });
});
