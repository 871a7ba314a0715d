import { describe, expect, it } from "vitest";
import { decide, type WorkCommand } from "../../src/core/decide.ts";
import type { WorkRecord } from "../../src/core/records.ts";
import { TRANSITIONS, WORK_EVENTS, WORK_STATES, type WorkEvent, type WorkState } from "../../src/core/transitions.ts";
import {
  ACTIVE,
  ack,
  DELIVERED,
  deliver,
  fault,
  heartbeat,
  lapse,
  POLICY,
  release,
  SECOND,
  STARTING,
  STOPPED,
  STOPPING,
  stop,
  T0,
  value,
} from "./support/items.ts";

/**
 * The published table, written down a second time from the contract: rows are states, and a cell is the state after the
 * call, `same` (200, nothing changes), `409`, or `-` (nobody can raise it).
 */
const CONTRACT = `
            deliver   ack        heartbeat  stop      forceStop  release  lapse
  queued    queued    starting   409        stopped   stopped    409      -
  starting  -         same       active     stopping  stopped    queued   queued
  active    -         same       active     stopping  stopped    queued   queued
  stopping  -         409        stopping   stopped   stopped    409      stopped
  stopped   -         409        409        same      same       409      -
`;

type Cell = WorkState | "same" | "409" | "-";

const [header = [], ...rows] = CONTRACT.trim()
  .split("\n")
  .map((line) => line.trim().split(/\s+/));
const CELLS = rows.flatMap(([state, ...cells]) =>
  cells.map((cell, index) => [state as WorkState, header[index] as WorkEvent, cell as Cell] as const),
);

const ITEMS: Readonly<Record<WorkState, WorkRecord>> = {
  queued: DELIVERED,
  starting: STARTING,
  active: ACTIVE,
  stopping: STOPPING,
  stopped: STOPPED,
};

/** Late enough for every deadline to be over, and the same for all, so that stamps can be told apart. */
const LATER = T0 + 1_000 * SECOND;

function commandFor(event: WorkEvent, item: WorkRecord): WorkCommand {
  const commands: Record<WorkEvent, WorkCommand> = {
    deliver: deliver("w1"),
    ack: ack("w1", "evt_09"),
    heartbeat: heartbeat("w1", item.latestHeartbeatAt),
    stop: stop("w1"),
    forceStop: stop("w1", true),
    release: release("w1"),
    lapse,
  };
  return commands[event];
}

describe("the state × call table", () => {
  it("covers every state and every event", () => {
    expect(CELLS.map(([state]) => state)).toEqual(WORK_STATES.flatMap((state) => WORK_EVENTS.map(() => state)));
    expect(CELLS.map(([, event]) => event)).toEqual(WORK_STATES.flatMap(() => [...WORK_EVENTS]));
  });

  it.each(CELLS)("says what a %s item does on %s: %s", (state, event, cell) => {
    const words: Record<string, string> = { same: "unchanged", "409": "refused", "-": "never" };
    expect(TRANSITIONS[state][event]).toBe(words[cell] ?? cell);
  });

  it.each(CELLS)("is what decide does with a %s item on %s: %s", (state, event, cell) => {
    const item = ITEMS[state];
    const call = () => decide(item, commandFor(event, item), LATER, POLICY);
    if (cell === "-") return expect(call).toThrow(`${event} was raised on a ${state} item`);
    const outcome = call();
    if (cell === "409") return expect(fault(outcome)).toMatchObject({ kind: "work_conflict" });
    if (cell === "same") return expect(value(outcome)).toEqual({ item, changed: false });
    expect(value(outcome)).toMatchObject({ changed: true, item: { state: cell } });
  });

  it.each(CELLS.filter(([, , cell]) => cell === "409"))("names state and call when a %s item refuses %s", (...cell) => {
    const [state, event] = cell;
    const { message } = fault(decide(ITEMS[state], commandFor(event, ITEMS[state]), LATER, POLICY));
    expect(message).toContain(ITEMS[state].id);
    expect(message).toContain(state);
    expect(message).toContain(event);
  });
});

const STAMPS = ["acknowledgedAt", "startedAt", "latestHeartbeatAt", "stopRequestedAt", "stoppedAt"] as const;

/** Which stamps each move sets to the instant of the call, and which it clears; the others stay as they are. */
const MOVES: readonly [WorkState, WorkEvent, { set?: string; cleared?: string }][] = [
  ["queued", "deliver", {}],
  ["queued", "ack", { set: "acknowledgedAt" }],
  ["queued", "stop", { set: "stopRequestedAt stoppedAt" }],
  ["queued", "forceStop", { set: "stopRequestedAt stoppedAt" }],
  ["starting", "heartbeat", { set: "startedAt latestHeartbeatAt" }],
  ["starting", "stop", { set: "stopRequestedAt" }],
  ["starting", "forceStop", { set: "stopRequestedAt stoppedAt" }],
  ["starting", "release", { cleared: "acknowledgedAt startedAt latestHeartbeatAt" }],
  ["starting", "lapse", { cleared: "acknowledgedAt startedAt latestHeartbeatAt" }],
  ["active", "heartbeat", { set: "latestHeartbeatAt" }],
  ["active", "stop", { set: "stopRequestedAt" }],
  ["active", "forceStop", { set: "stopRequestedAt stoppedAt" }],
  ["active", "release", { cleared: "acknowledgedAt startedAt latestHeartbeatAt" }],
  ["active", "lapse", { cleared: "acknowledgedAt startedAt latestHeartbeatAt" }],
  ["stopping", "heartbeat", { set: "latestHeartbeatAt" }],
  ["stopping", "stop", { set: "stoppedAt" }],
  ["stopping", "forceStop", { set: "stoppedAt" }],
  ["stopping", "lapse", { set: "stoppedAt" }],
];

describe("the stamps of a move", () => {
  it("are listed for every move", () => {
    const moves = CELLS.filter(([, , cell]) => !["same", "409", "-"].includes(cell)).map(([s, e]) => `${s} ${e}`);
    expect(MOVES.map(([state, event]) => `${state} ${event}`)).toEqual(moves);
  });

  it.each(MOVES)("are set and cleared as the table says: %s, %s", (state, event, { set = "", cleared = "" }) => {
    const item = ITEMS[state];
    const next = value(decide(item, commandFor(event, item), LATER, POLICY)).item;
    for (const stamp of STAMPS) {
      const expected = set.includes(stamp) ? LATER : cleared.includes(stamp) ? null : item[stamp];
      expect(next[stamp], stamp).toBe(expected);
    }
    expect(next.createdAt).toBe(item.createdAt);
  });
});

/** Seconds from the call to the deadline, where the item is live afterwards. All calls come at +10 s. */
const DEADLINES: readonly [string, WorkRecord, WorkCommand, number | null][] = [
  ["an ack gives the start time", DELIVERED, ack("w1"), 60],
  ["a heartbeat gives its TTL", STARTING, heartbeat("w1", null, { ttlSeconds: 45 }), 45],
  [
    "a longer TTL replaces the shorter one",
    ACTIVE,
    heartbeat("w1", ACTIVE.latestHeartbeatAt, { ttlSeconds: 300 }),
    300,
  ],
  ["a shorter TTL replaces the longer one", ACTIVE, heartbeat("w1", ACTIVE.latestHeartbeatAt, { ttlSeconds: 10 }), 10],
  ["a stop request leaves the lease as it is", ACTIVE, stop(null), 60 + 3 - 10],
  ["a stop request leaves the start time as it is", STARTING, stop(null), 60 + 2 - 10],
  ["a delivery has none", DELIVERED, deliver("w2"), null],
  ["a release ends it", ACTIVE, release("w1"), null],
  ["a stop that ends the item ends it", STOPPING, stop("w1"), null],
  ["a forced stop ends it", ACTIVE, stop("w1", true), null],
];

describe("the deadline after a move", () => {
  it.each(DEADLINES)("%s", (_, item, command, seconds) => {
    const now = T0 + 10 * SECOND;
    const next = value(decide(item, command, now, POLICY)).item;
    expect(next.deadlineAt).toBe(seconds === null ? null : now + seconds * SECOND);
    if (next.deadlineAt === null) expect(next.sweepAt).toBeNull();
    else expect(next.sweepAt).toBeLessThanOrEqual(next.deadlineAt);
  });

  it("is not swept later than it is, nor does a heartbeat that extends it move the sweep", () => {
    const longer = value(decide(ACTIVE, heartbeat("w1", ACTIVE.latestHeartbeatAt), T0 + 10 * SECOND, POLICY)).item;
    expect(longer.sweepAt).toBe(ACTIVE.sweepAt);
    const shorter = heartbeat("w1", ACTIVE.latestHeartbeatAt, { ttlSeconds: 10 });
    expect(value(decide(ACTIVE, shorter, T0 + 10 * SECOND, POLICY)).item.sweepAt).toBe(T0 + 20 * SECOND);
  });

  it("is cut to the drain limit by a stop request", () => {
    const policy = { ...POLICY, drainSeconds: 5 };
    const next = value(decide(ACTIVE, stop(null), T0 + 10 * SECOND, policy)).item;
    expect(next).toMatchObject({ deadlineAt: T0 + 15 * SECOND, sweepAt: T0 + 15 * SECOND });
  });
});
