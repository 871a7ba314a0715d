import { describe, expect, it } from "vitest";
import type { EventRecord, SessionRecord, WorkRecord } from "../../src/core/records.ts";
import { RULES, type Snapshot, snapshot } from "./model/rules.ts";
import { UnansweredInput } from "./model/unanswered.ts";
import { SECOND } from "./support/items.ts";
import { event, Scenario } from "./support/scenario.ts";

/** One session of each kind that matters: queued, active, stopping and idle, with the item that it has or had. */
function world() {
  const scenario = new Scenario({ maxAttempts: 2 });
  const idle = scenario.open(event("user.message"));
  const stopped = scenario.take().id;
  scenario.finish(stopped);
  const draining = scenario.open(event("user.message"));
  const stopping = scenario.take().id;
  scenario.stop(stopping);
  const busy = scenario.open(event("user.message"));
  const active = scenario.take().id;
  const waiting = scenario.open(event("user.message"));
  const queued = scenario.live(waiting)?.id as string;
  const before = snapshot(scenario.units);
  return { before, ids: { stopped, stopping, active, queued }, sessions: { idle, draining, busy, waiting } };
}
type World = ReturnType<typeof world>;

const work = ({ before }: World, id: string, change: Partial<WorkRecord>): Snapshot => ({
  ...before,
  works: new Map(before.works).set(id, { ...(before.works.get(id) as WorkRecord), ...change }),
});
const session = ({ before }: World, id: string, change: Partial<SessionRecord>): Snapshot => ({
  ...before,
  sessions: new Map(before.sessions).set(id, { ...(before.sessions.get(id) as SessionRecord), ...change }),
});
const events = ({ before }: World, change: (events: EventRecord[]) => EventRecord[]): Snapshot => ({
  ...before,
  events: change([...before.events]),
});

/** What a defect would leave behind, by the number of the rule that has to see it. */
const DEFECTS: readonly (readonly [number, string, (world: World) => Snapshot])[] = [
  [6, "a heartbeat that was issued before", (w) => work(w, w.ids.active, { latestHeartbeatAt: 1 })],
  [8, "a stopping item that is active again", (w) => work(w, w.ids.stopping, { state: "active" })],
  [8, "a stopped item with another stamp", (w) => work(w, w.ids.stopped, { stoppedAt: w.before.now + SECOND })],
  [8, "an item that is gone", (w) => ({ ...w.before, works: new Map([...w.before.works].slice(1)) })],
  [10, "an active item that never started", (w) => work(w, w.ids.active, { startedAt: null })],
  [10, "a queued item that was acknowledged", (w) => work(w, w.ids.queued, { acknowledgedAt: w.before.now })],
  [10, "an item that started before its ack", (w) => work(w, w.ids.active, { startedAt: 1 })],
  [10, "a live item without a deadline", (w) => work(w, w.ids.active, { deadlineAt: null })],
  [10, "a live item that nobody sweeps", (w) => work(w, w.ids.active, { sweepAt: null })],
  [10, "a stop that came before its request", (w) => work(w, w.ids.stopped, { stoppedAt: 1 })],
  [12, "two live items of one session", (w) => work(w, w.ids.queued, { sessionId: w.sessions.busy })],
  [12, "a session that lost sight of its item", (w) => session(w, w.sessions.busy, { liveWorkId: null })],
  [12, "an idle session with a live item", (w) => session(w, w.sessions.busy, { status: "idle" })],
  [12, "a running session without one", (w) => session(w, w.sessions.idle, { status: "running" })],
  [12, "an archived session with one", (w) => session(w, w.sessions.busy, { archivedAt: w.before.now })],
  [12, "input that no item waits for", (w) => session(w, w.sessions.idle, { lastInputId: "evt_~" })],
  [12, "input marked as dealt with that was not", (w) => session(w, w.sessions.idle, { processedThrough: null })],
  [14, "an item in no state", (w) => work(w, w.ids.active, { state: "lost" as WorkRecord["state"] })],
  [14, "an item that begins with a hand-out", (w) => work(w, "work_new", { id: "work_new", handOut: 1 })],
  [17, "an event that is gone", (w) => events(w, (all) => all.slice(1))],
  [17, "an event that changed", (w) => events(w, (all) => all.map((one) => ({ ...one, type: "agent.other" })))],
  [17, "an event with an id that was used", (w) => events(w, (all) => [...all, all[0] as EventRecord])],
  [23, "more attempts than allowed", (w) => work(w, w.ids.active, { attempts: 3 })],
  [23, "an item that lives after its last attempt", (w) => work(w, w.ids.active, { attempts: 2 })],
  [
    23,
    "an item that was given up in silence",
    (w) => work(w, w.ids.active, { state: "stopped", attempts: 2, stoppedAt: w.before.now }),
  ],
];

describe("the rules of the model", () => {
  it("find nothing in a world without defects", () => {
    const { before } = world();
    for (const { check } of RULES) expect(check(before, before)).toBeUndefined();
  });

  it.each(DEFECTS)("find by rule %i: %s", (number, _, corrupt) => {
    const found = world();
    const after = corrupt(found);
    const rules = RULES.filter(({ name }) => name.startsWith(`${number} `));
    expect(rules.map(({ check }) => check(found.before, after)).find((problem) => problem !== undefined)).toBeTypeOf(
      "string",
    );
  });
});

describe("the judge of unanswered input", () => {
  /** A session whose worker was told of one message and not of the second, before and after its end. */
  function ending() {
    const scenario = new Scenario();
    const sessionId = scenario.open(event("user.message"));
    const judge = new UnansweredInput();
    const workId = scenario.poll()?.id as string;
    const target = { ...scenario.target(workId), workerId: "w1" };
    const before = snapshot(scenario.units);
    scenario.do("ack", target);
    judge.observe({ name: "ack", input: target }, true, before, snapshot(scenario.units));
    scenario.say(sessionId);
    const held = snapshot(scenario.units);
    scenario.stop(workId, null, undefined, true);
    return { judge, target, held, ended: snapshot(scenario.units), sessionId };
  }

  it("wants an item for a message that raced with the stop, and finds the right end right", () => {
    const { judge, target, held, ended } = ending();
    expect(judge.observe({ name: "stop", input: { ...target, force: true } }, true, held, ended)).toBeUndefined();
  });

  it("sees a message that was left behind", () => {
    const { judge, target, held, ended, sessionId } = ending();
    const session = { ...(ended.sessions.get(sessionId) as SessionRecord), liveWorkId: null };
    const forgotten = { ...ended, sessions: new Map(ended.sessions).set(sessionId, session) };
    const problem = judge.observe({ name: "stop", input: { ...target, force: true } }, true, held, forgotten);
    expect(problem).toContain("1 unanswered");
  });
});
