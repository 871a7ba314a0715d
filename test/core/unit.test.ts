import { beforeEach, describe, expect, it } from "vitest";
import { value } from "./support/items.ts";
import { event, Scenario } from "./support/scenario.ts";

let scenario: Scenario;
beforeEach(() => {
  scenario = new Scenario();
});

/** Sessions with a queued item each, oldest first: the ids of the items. */
const queue = (count: number): string[] =>
  Array.from({ length: count }, () => scenario.live(scenario.open(event("user.message")))?.id as string);

const poll = (workerId: string, reclaimOlderThanMs = 5_000) => ({
  name: "poll" as const,
  input: { environmentId: scenario.environmentId, workerId, reclaimOlderThanMs },
});
const stop = (workId: string) => ({
  name: "stop" as const,
  input: { ...scenario.target(workId), workerId: null, force: false },
});
const patch = (workId: string) => ({
  name: "updateWork" as const,
  input: { ...scenario.target(workId), metadata: { seen: "yes" } },
});

/** What each poll of a commit was given: the item's id, with a plus when more was left. */
function polled(...calls: Parameters<Scenario["units"]["commit"]>[0]): (string | null)[] {
  return scenario.units
    .commit(calls)
    .filter((_, index) => calls[index]?.name === "poll")
    .map((outcome) => value(outcome) as { item: { id: string }; more: boolean } | null)
    .map((claim) => claim && `${claim.item.id}${claim.more ? "+" : ""}`);
}

describe("polls that share a commit", () => {
  it("get the oldest items, one each, and the last is told that nothing is left", () => {
    const [a, b, c] = queue(3);
    expect(polled(poll("w1"), poll("w2"), poll("w3"), poll("w4"))).toEqual([`${a}+`, `${b}+`, c, null]);
  });

  it("are told whether more is left behind them", () => {
    const [a] = queue(2);
    expect(polled(poll("w1"))).toEqual([`${a}+`]);
  });

  it("see an item that a call before them queued", () => {
    const [a] = queue(1);
    const sessionId = scenario.open();
    const say = { sessionId, events: [event("user.message")], sender: { role: "user" as const } };
    const given = polled({ name: "sendEvents", input: say }, poll("w1"), poll("w2"));
    expect(given).toEqual([`${a}+`, scenario.live(sessionId)?.id]);
  });

  it("do not get an item that a call before them stopped, and are not left empty by it", () => {
    const [a, b, c] = queue(3);
    expect(polled(stop(a as string), stop(b as string), poll("w1"))).toEqual([c]);
  });

  it("do not miss an item when a call between them takes the next one out of the queue", () => {
    const [a, b, c, d] = queue(4);
    const given = polled(poll("w1"), stop(b as string), stop(c as string), poll("w2"));
    expect(given).toEqual([`${a}+`, d]);
  });

  it("are not left empty when whole sessions are archived before them", () => {
    const [a, b, c] = queue(3) as [string, string, string];
    const archive = (workId: string) => ({
      name: "archiveSession" as const,
      input: { sessionId: scenario.work(workId).sessionId },
    });
    expect(polled(archive(a), archive(b), poll("w1"))).toEqual([c]);
  });

  it("get a delivery whose window is over before a younger item, also when its metadata was just changed", () => {
    const [a] = queue(2);
    scenario.poll("w1");
    scenario.pass(5);
    expect(polled(patch(a as string), poll("w2"))).toEqual([`${a}+`]);
  });

  it("keep to their own windows", () => {
    const [a, b] = queue(2);
    scenario.poll("w1");
    scenario.pass(1);
    expect(polled(poll("w2", 60_000), poll("w3", 1_000))).toEqual([b, a]);
  });

  it("are never given one item at one instant, whatever their windows", () => {
    const [a] = queue(1);
    expect(polled(poll("w1", 0), poll("w2", 0))).toEqual([a, null]);
    scenario.pass(1);
    expect(polled(poll("w2", 0))).toEqual([a]);
  });

  it("get an item that was released before them, and not one whose delay still runs", () => {
    queue(1);
    const { id } = scenario.take();
    const giveBack = (delayMs: number) => ({
      name: "release" as const,
      input: { ...scenario.target(id), workerId: "w1", delayMs },
    });
    expect(polled(giveBack(1_000), poll("w2"))).toEqual([null]);
    scenario.pass(1);
    expect(polled(poll("w2"))).toEqual([id]);
  });

  it("get an item that the sweep before them put back", () => {
    queue(1);
    const { id } = scenario.take();
    scenario.pass(60);
    expect(polled({ name: "sweep", input: { limit: 10 } }, poll("w2"))).toEqual([id]);
  });

  it("take nothing once their caller has hung up", () => {
    const [a] = queue(1);
    const abandoned = { ...poll("w1"), input: { ...poll("w1").input, abandoned: () => true } };
    expect(polled(abandoned, poll("w2"))).toEqual([null, a]);
  });
});

describe("calls on one item that share a commit", () => {
  it("see what those before them did: of two acks one wins", () => {
    const [a] = queue(1) as [string];
    const ack = (workerId: string) => ({ name: "ack" as const, input: { ...scenario.target(a), workerId } });
    const [first, second] = scenario.units.commit([ack("w1"), ack("w2")]);
    expect(first?.refused).toBeUndefined();
    expect(second?.refused?.kind).toBe("work_conflict");
    expect(scenario.work(a).holder).toBe("w1");
  });

  it("leave no trace of a refused one, and do not fail its neighbours", () => {
    const [a] = queue(1) as [string];
    const before = scenario.work(a);
    const beat = { expected: null, ttlSeconds: 60, declaredRetry: false, idempotencyKey: null };
    const heartbeat = { name: "heartbeat" as const, input: { ...scenario.target(a), workerId: "w1", ...beat } };
    const [refused] = scenario.units.commit([heartbeat]);
    expect(refused?.refused?.kind).toBe("work_conflict");
    expect(scenario.work(a)).toBe(before);
    const outcomes = scenario.units.commit([heartbeat, patch(a), heartbeat]);
    expect(outcomes.map((outcome) => outcome.refused?.kind)).toEqual(["work_conflict", undefined, "work_conflict"]);
    expect(scenario.work(a).metadata).toEqual({ seen: "yes" });
  });

  it("keep patches to different keys both", () => {
    const [a] = queue(1) as [string];
    const set = (key: string) => ({
      name: "updateWork" as const,
      input: { ...scenario.target(a), metadata: { [key]: "1" } },
    });
    scenario.units.commit([set("x"), set("y")]);
    expect(scenario.work(a)).toMatchObject({ metadata: { x: "1", y: "1" }, state: "queued" });
  });
});

describe("a sweep", () => {
  it("leaves an item alone that a heartbeat before it extended, and looks again at its new deadline", () => {
    queue(1);
    const item = scenario.take();
    scenario.pass(61);
    const beat = { expected: item.latestHeartbeatAt, ttlSeconds: 60, declaredRetry: false, idempotencyKey: null };
    const calls = [
      { name: "heartbeat" as const, input: { ...scenario.target(item.id), workerId: "w1", ...beat } },
      { name: "sweep" as const, input: { limit: 10 } },
    ];
    expect(value(scenario.units.commit(calls)[1] as never)).toEqual({ lapsed: 0, examined: 1 });
    const after = scenario.work(item.id);
    expect(after.state).toBe("active");
    expect(after.sweepAt).toBe(after.deadlineAt);
  });

  it("examines no more than its limit, the longest overdue first", () => {
    queue(3);
    const taken = [scenario.take("w1"), scenario.take("w2"), scenario.take("w3")];
    scenario.pass(100);
    expect(scenario.do("sweep", { limit: 2 })).toEqual({ lapsed: 2, examined: 2 });
    expect(taken.map(({ id }) => scenario.work(id).state)).toEqual(["queued", "queued", "active"]);
    expect(scenario.do("sweep", { limit: 2 })).toEqual({ lapsed: 1, examined: 1 });
  });

  it("keeps to its limit beside another one in the same commit", () => {
    queue(3);
    for (const workerId of ["w1", "w2", "w3"]) scenario.take(workerId);
    scenario.pass(100);
    const sweep = (limit: number) => ({ name: "sweep" as const, input: { limit } });
    expect(scenario.units.commit([sweep(1), sweep(2)]).map((outcome) => value(outcome))).toEqual([
      { lapsed: 1, examined: 1 },
      { lapsed: 1, examined: 1 },
    ]);
  });

  it("has nothing to do with what is queued or stopped", () => {
    const [a] = queue(2) as [string];
    scenario.stop(a);
    scenario.pass(10_000);
    expect(scenario.do("sweep", { limit: 10 })).toEqual({ lapsed: 0, examined: 0 });
  });
});

describe("a delivery that is taken back", () => {
  it("is free for the next poll of the same commit", () => {
    const [a] = queue(1) as [string];
    scenario.poll("w1");
    const takeBack = { name: "takeBackDelivery" as const, input: { ...scenario.target(a), handOut: 1 } };
    expect(polled(takeBack, poll("w2"))).toEqual([a]);
  });

  it("of an item that is unknown or went on is not taken back", () => {
    const [a] = queue(1) as [string];
    scenario.take();
    expect(scenario.do("takeBackDelivery", { ...scenario.target(a), handOut: 1 })).toBe(false);
    expect(scenario.do("takeBackDelivery", { ...scenario.target("work_unknown"), handOut: 1 })).toBe(false);
  });
});

describe("an item, to callers of another environment", () => {
  it("does not exist, whatever they call", () => {
    const [a] = queue(1) as [string];
    const target = { environmentId: scenario.environment(), workId: a };
    const before = scenario.work(a);
    const outcomes = [
      scenario.try("ack", { ...target, workerId: "w1" }),
      scenario.try("stop", { ...target, workerId: null, force: true }),
      scenario.try("release", { ...target, workerId: null, delayMs: 0 }),
      scenario.try("updateWork", { ...target, metadata: { a: "b" } }),
    ];
    for (const outcome of outcomes) expect(outcome.refused?.kind).toBe("not_found");
    expect(scenario.work(a)).toBe(before);
  });
});

describe("a hand-out that the caller proved", () => {
  it("is refused as over from the lapse on, whatever the worker is called", () => {
    const [a] = queue(1) as [string];
    scenario.take("w1");
    scenario.lapse();
    scenario.take("w1");
    const stopAs = (handOut: number) =>
      scenario.try("stop", { ...scenario.target(a), workerId: "w1", force: false, handOut });
    expect(stopAs(1).refused?.kind).toBe("unauthenticated");
    expect(stopAs(2).refused).toBeUndefined();
  });
});
