/** A check that cannot fail is worth nothing: each of them is shown a history in which its bug was planted. */
import { expect, test } from "vitest";
import type { Session, SessionEvent, Work, WorkHeartbeat } from "../../src/contract/shapes.ts";
import type { Recorded, Sent, Verb } from "./history.ts";
import { checkItems, ITEM_CHECKS } from "./history-checks.ts";
import { conservation, firstInFirstOut, nothingLost, oneLiveItem, type Rest } from "./history-final.ts";

const at = (second: number): string => `2026-07-01T08:00:${String(second).padStart(2, "0")}.000000Z`;

const QUEUED: Work = {
  id: "work_1",
  type: "work",
  environment_id: "env_1",
  data: { type: "session", id: "sess_1" },
  state: "queued",
  created_at: at(0),
  acknowledged_at: null,
  started_at: null,
  latest_heartbeat_at: null,
  stop_requested_at: null,
  stopped_at: null,
  metadata: {},
};
const STARTING: Work = { ...QUEUED, state: "starting", acknowledged_at: at(2) };
const ACTIVE: Work = { ...STARTING, state: "active", started_at: at(3), latest_heartbeat_at: at(3) };
const STOPPING: Work = { ...ACTIVE, state: "stopping", latest_heartbeat_at: at(4), stop_requested_at: at(5) };
const STOPPED: Work = { ...STOPPING, state: "stopped", stopped_at: at(6) };

/** A call that took effect at this second, at once. */
function call(second: number, verb: Verb, sent: Sent, answer: Work | WorkHeartbeat | null): Recorded {
  const work = answer?.type === "work" ? answer : null;
  const times = { start: second * 1_000, end: second * 1_000 + 1, status: 200 };
  const names = { environment: "env_1", item: work?.id ?? "work_1", session: work?.data.id ?? null };
  return { verb, ...names, sent, ...times, work, beat: answer?.type === "work_heartbeat" ? answer : null };
}
const beat = (second: number, state: "active" | "stopping" = "active"): WorkHeartbeat => ({
  type: "work_heartbeat",
  last_heartbeat: at(second),
  lease_extended: true,
  state,
  ttl_seconds: 60,
});
const w1 = { worker: "w1" };
const w2 = { worker: "w2" };

const POLL = call(1, "poll", w1, QUEUED);
const ACK = call(2, "ack", w1, STARTING);
const FIRST = call(3, "heartbeat", { ...w1, expected: "NO_HEARTBEAT" }, beat(3));
const SECOND = call(4, "heartbeat", { ...w1, expected: at(3) }, beat(4));
const STOP = call(5, "stop", w1, STOPPING);
const CONFIRM = call(6, "stop", w1, STOPPED);
const TURN = [POLL, ACK, FIRST, SECOND, STOP, CONFIRM];

/** The same, with a release after the ack: the second owner does the turn. */
const RELEASE = call(3, "release", w1, QUEUED);
const again = { ...STARTING, acknowledged_at: at(5) };
const RELEASED = [POLL, ACK, RELEASE, call(4, "poll", w2, QUEUED), call(5, "ack", w2, again)];

test.each([
  { what: "a turn", calls: TURN },
  { what: "a released item", calls: RELEASED },
  { what: "a repeated ack", calls: [POLL, ACK, { ...ACK, start: 2_500, end: 2_501 }, FIRST] },
  { what: "a redelivery after its window", calls: [POLL, call(7, "poll", w2, QUEUED)] },
  { what: "a declared retry", calls: [POLL, ACK, FIRST, { ...FIRST, ...w1, sent: { ...FIRST.sent, retry: true } }] },
  { what: "a release without an answer", calls: [POLL, ACK, { ...RELEASE, status: 0 }, call(4, "poll", w2, QUEUED)] },
])("$what is no violation", ({ calls }) => {
  expect(checkItems(calls, { lapses: "never" })).toEqual([]);
});

const PLANTED: readonly { check: string; bug: string; calls: readonly Recorded[] }[] = [
  { check: "singleDelivery", bug: "two polls got it", calls: [POLL, call(2, "poll", w2, QUEUED)] },
  { check: "singleDelivery", bug: "it was delivered after its ack", calls: [POLL, ACK, call(9, "poll", w2, QUEUED)] },
  {
    check: "singleOwner",
    bug: "a second worker beats",
    calls: [POLL, ACK, FIRST, { ...SECOND, sent: { ...w2, expected: at(3) } }],
  },
  { check: "singleOwner", bug: "two acks at once", calls: [ACK, { ...ACK, sent: w2 }] },
  { check: "ackIsCompareAndSet", bug: "an ack after the stop", calls: [...TURN, call(8, "ack", w1, STARTING)] },
  { check: "ackIsCompareAndSet", bug: "an ack that renews", calls: [ACK, call(5, "ack", w1, again)] },
  { check: "ackIsCompareAndSet", bug: "an ack of a stopped item", calls: [call(8, "ack", w1, STOPPED)] },
  { check: "startsOnce", bug: "two first beats", calls: [ACK, FIRST, call(4, "heartbeat", FIRST.sent, beat(4))] },
  {
    check: "startsOnce",
    bug: "two starts",
    calls: [call(4, "get", {}, ACTIVE), call(5, "get", {}, { ...ACTIVE, started_at: at(2) })],
  },
  {
    check: "beatsFormAChain",
    bug: "two on one value",
    calls: [FIRST, SECOND, call(5, "heartbeat", SECOND.sent, beat(5))],
  },
  {
    check: "beatsFormAChain",
    bug: "one on no value",
    calls: [FIRST, call(5, "heartbeat", { ...w1, expected: at(9) }, beat(5))],
  },
  { check: "beatsIncrease", bug: "a value twice", calls: [FIRST, { ...SECOND, beat: beat(3) }] },
  { check: "beatsIncrease", bug: "a smaller value", calls: [FIRST, { ...SECOND, beat: beat(2) }] },
  { check: "fencing", bug: "a late stop", calls: [...RELEASED, call(8, "stop", w1, STOPPING)] },
  { check: "fencing", bug: "a late beat", calls: [...RELEASED, call(8, "heartbeat", w1, beat(8))] },
  { check: "noResurrection", bug: "delivered after the stop", calls: [...TURN, call(8, "poll", w2, QUEUED)] },
  { check: "noResurrection", bug: "active after the stop", calls: [STOP, call(8, "get", {}, ACTIVE)] },
  {
    check: "noResurrection",
    bug: "a beat after the end",
    calls: [...TURN, call(8, "heartbeat", w1, beat(8, "stopping"))],
  },
  { check: "noResurrection", bug: "a beat that hides the stop", calls: [STOP, call(8, "heartbeat", w1, beat(8))] },
  { check: "stopTable", bug: "a forced stop that waits", calls: [call(5, "stop", { force: true }, STOPPING)] },
  { check: "stopTable", bug: "a second stop that waits", calls: [STOP, call(6, "stop", w1, STOPPING)] },
  {
    check: "stopTable",
    bug: "a request that moves",
    calls: [STOP, { ...CONFIRM, work: { ...STOPPED, stop_requested_at: at(6) } }],
  },
  { check: "stampOrder", bug: "started before its ack", calls: [call(4, "get", {}, { ...ACTIVE, started_at: at(1) })] },
  {
    check: "stampOrder",
    bug: "an owner's stamp in the queue",
    calls: [call(4, "get", {}, { ...QUEUED, acknowledged_at: at(1) })],
  },
  {
    check: "stampOrder",
    bug: "stopped without its stamp",
    calls: [call(7, "get", {}, { ...STOPPED, stopped_at: null })],
  },
];

test.each(PLANTED)("$check finds the planted bug: $bug", ({ check, calls }) => {
  expect(checkItems(calls, { lapses: "never" }).map((violation) => violation.check)).toContain(check);
});

test("every check of an item has a planted bug", () => {
  expect(new Set(PLANTED.map(({ check }) => check))).toEqual(new Set(Object.keys(ITEM_CHECKS)));
});

const SESSION = { id: "sess_1", type: "session", status: "idle", archived_at: null } as unknown as Session;
const MESSAGE = { id: "evt_1", type: "user.message", processed_at: at(6) } as unknown as SessionEvent;
const REST: Rest = {
  works: [STOPPED],
  sessions: [SESSION],
  events: new Map([["sess_1", [MESSAGE]]]),
  stats: { type: "work_queue_stats", depth: 0, pending: 0, oldest_queued_at: null, workers_polling: 0 },
};
const CREATE: Recorded = { ...call(0, "create", {}, null), item: null, session: "sess_1" };
const ALL = [CREATE, ...TURN];

test("a run that came to rest is no violation", () => {
  const found = [...nothingLost(ALL, REST), ...oneLiveItem(REST), ...conservation(ALL, REST), ...firstInFirstOut(ALL)];
  expect(found).toEqual([]);
});

test.each([
  { bug: "the item is gone", rest: { ...REST, works: [] } },
  { bug: "the item is there twice", rest: { ...REST, works: [STOPPED, STOPPED] } },
  { bug: "the item went back", rest: { ...REST, works: [ACTIVE] } },
  { bug: "the session is gone", rest: { ...REST, sessions: [] } },
])("nothingLost finds the planted bug: $bug", ({ rest }) => {
  expect(nothingLost(ALL, rest)).not.toEqual([]);
});

const unanswered = new Map([["sess_1", [{ ...MESSAGE, processed_at: null }]]]);

test.each([
  { bug: "two live items", rest: { ...REST, works: [ACTIVE, { ...QUEUED, id: "work_2" }] } },
  { bug: "an idle session with an item", rest: { ...REST, works: [ACTIVE] } },
  { bug: "a running session without one", rest: { ...REST, sessions: [{ ...SESSION, status: "running" as const }] } },
  {
    bug: "an archived session with an item",
    rest: { ...REST, works: [ACTIVE], sessions: [{ ...SESSION, archived_at: at(6) }] },
  },
  { bug: "a message without an answer", rest: { ...REST, events: unanswered } },
])("oneLiveItem finds the planted bug: $bug", ({ rest }) => {
  expect(oneLiveItem(rest)).not.toEqual([]);
});

test.each([
  { bug: "an item that was never queued", rest: { ...REST, works: [] } },
  { bug: "a depth that nobody sees", rest: { ...REST, stats: { ...REST.stats, depth: 1 } } },
  { bug: "a queued item that is not counted", rest: { ...REST, works: [STOPPED, QUEUED] } },
  { bug: "an oldest item that is none", rest: { ...REST, stats: { ...REST.stats, oldest_queued_at: at(0) } } },
])("conservation finds the planted bug: $bug", ({ rest }) => {
  expect(conservation(ALL, rest)).not.toEqual([]);
});

test("firstInFirstOut finds an older item that was passed over", () => {
  const newer = { ...QUEUED, id: "work_2", data: { ...QUEUED.data, id: "sess_2" } };
  expect(firstInFirstOut([CREATE, POLL, call(2, "poll", w1, newer)])).toEqual([]);
  expect(firstInFirstOut([CREATE, call(1, "poll", w1, newer), call(2, "poll", w1, QUEUED)])).not.toEqual([]);
});
