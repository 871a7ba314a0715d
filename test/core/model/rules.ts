/** What must hold after every commit, judged by what is stored before and after it. Each finds a sentence or nothing. */
import type { EventRecord, QueuePolicy, SessionRecord, WorkRecord } from "../../../src/core/records.ts";
import type { Micros } from "../../../src/core/time.ts";
import { WORK_STATES } from "../../../src/core/transitions.ts";
import type { PureUnits } from "../../support/pure-unit.ts";

export interface Snapshot {
  readonly now: Micros;
  readonly policies: ReadonlyMap<string, QueuePolicy>;
  readonly sessions: ReadonlyMap<string, SessionRecord>;
  readonly works: ReadonlyMap<string, WorkRecord>;
  readonly events: readonly EventRecord[];
}

export function snapshot(units: PureUnits): Snapshot {
  return {
    now: units.clock.now(),
    policies: new Map([...units.environments].map(([id, { policy }]) => [id, policy])),
    sessions: new Map(units.sessions),
    works: new Map(units.works),
    events: [...units.events],
  };
}

export interface Rule {
  readonly name: string;
  check(before: Snapshot, after: Snapshot): string | undefined;
}

/** The first problem among many things. */
function first<T>(things: Iterable<T>, problem: (thing: T) => string | false | undefined): string | undefined {
  for (const thing of things) {
    const found = problem(thing);
    if (found) return found;
  }
  return undefined;
}

const noResurrection: Rule = {
  name: "8 no resurrection",
  check: (before, after) =>
    first(before.works.values(), (was) => {
      const is = after.works.get(was.id);
      if (is === undefined) return `${was.id} is gone`;
      if (was.state === "stopped")
        return (
          JSON.stringify({ ...is, metadata: 0 }) !== JSON.stringify({ ...was, metadata: 0 }) &&
          `${was.id} changed after its end`
        );
      const asked = was.stopRequestedAt !== null && is.state !== "stopping" && is.state !== "stopped";
      return asked && `${was.id} is ${is.state} after a stop request`;
    }),
};

/** Which stamps go with a state: set, not set, or either. Acked, started, beaten, asked to stop, stopped, deadline. */
const STAMPED = { queued: "------", starting: "+----+", active: "+++--+", stopping: "+??+-+", stopped: "????+-" };

const stampsGoWithStates: Rule = {
  name: "10 stamps",
  check: (_, after) =>
    first(after.works.values(), (work) => {
      const { createdAt, acknowledgedAt, startedAt, latestHeartbeatAt, stopRequestedAt, stoppedAt, deadlineAt } = work;
      const stamps = [acknowledgedAt, startedAt, latestHeartbeatAt, stopRequestedAt, stoppedAt, deadlineAt];
      const pattern = stamps.map((stamp) => (stamp === null ? "-" : "+")).join("");
      const wanted = STAMPED[work.state] ?? "??????";
      if ([...pattern].some((is, index) => wanted[index] !== "?" && wanted[index] !== is)) {
        return `${work.state} item with ${pattern}`;
      }
      const life = [createdAt, acknowledgedAt, startedAt, latestHeartbeatAt].filter((stamp) => stamp !== null);
      if (life.some((stamp, index) => index > 0 && stamp < (life[index - 1] as number))) return "stamps descend";
      if (stoppedAt !== null && stopRequestedAt !== null && stoppedAt < stopRequestedAt) return "stopped before asked";
      if (deadlineAt !== null && (work.sweepAt === null || work.sweepAt > deadlineAt))
        return "not swept at its deadline";
      const free = work.state !== "queued" && (work.deliveredAt !== null || work.availableAt !== null);
      return free && `${work.state} item with a delivery or a delay`;
    }),
};

const oneLiveItem: Rule = {
  name: "12 one live item per session, which has one exactly while it has something to do",
  check: (_, after) =>
    first(after.sessions.values(), (session) => {
      const live = [...after.works.values()].filter(
        (work) => work.sessionId === session.id && work.state !== "stopped",
      );
      if (live.length > 1) return `${session.id} has ${live.length} live items`;
      if ((live[0]?.id ?? null) !== session.liveWorkId) return `${session.id} points to ${session.liveWorkId}`;
      if (session.archivedAt !== null || session.deletedAt !== null)
        return live.length > 0 && "an ended session has work";
      if (session.liveWorkId !== null) return session.status === "idle" && "a session with work is idle";
      if (session.status !== "idle") return `a session without work is ${session.status}`;
      const waits = session.lastInputId !== null && session.lastInputId > (session.processedThrough ?? "");
      return waits && `${session.id} has input that nobody will see`;
    }),
};

const inputIsMarked: Rule = {
  name: "12 input is marked as dealt with exactly up to where it was",
  check: (_, after) =>
    first(after.events, ({ id, sessionId, processedAt }) => {
      const through = after.sessions.get(sessionId)?.processedThrough ?? "";
      return (processedAt !== null) !== id <= through && `${id} against ${through}`;
    }),
};

const conservation: Rule = {
  name: "14 nothing is lost or made of nothing",
  check: (before, after) =>
    first(after.works.values(), (work) => {
      if (!WORK_STATES.includes(work.state)) return `${work.id} is ${work.state}`;
      if (before.works.has(work.id)) return false;
      return (work.handOut !== 0 || !after.sessions.has(work.sessionId)) && `${work.id} begins in the middle`;
    }),
};

const eventsAreKept: Rule = {
  name: "17 events are appended in order and never change",
  check(before, after) {
    const plain = ({ processedAt, ...rest }: EventRecord) => JSON.stringify(rest);
    const changed = before.events.some((event, index) => plain(event) !== plain(after.events[index] as EventRecord));
    if (changed) return "an event changed or is gone";
    const last = new Map<string, string>();
    return first(after.events, ({ id, sessionId }) => {
      const previous = last.get(sessionId) ?? "";
      last.set(sessionId, id);
      return previous >= id && `${id} comes after ${previous}`;
    });
  },
};

const attemptsAreBounded: Rule = {
  name: "23 attempts are bounded, and the session is told when they are used up",
  check: (before, after) =>
    first(after.works.values(), (work) => {
      const limit = after.policies.get(work.environmentId)?.maxAttempts ?? 0;
      if (limit > 0 && work.attempts > limit) return `${work.attempts} attempts of ${limit}`;
      const givenUp = work.state === "stopped" && work.stopRequestedAt === null;
      if (!givenUp) return limit > 0 && work.attempts === limit && `${work.state} after its last attempt`;
      if (before.works.get(work.id)?.state === "stopped") return false;
      const told = after.events.slice(before.events.length).filter((event) => event.sessionId === work.sessionId);
      const types = told.map(({ type }) => type).join();
      return !types.startsWith("session.error,session.status_idle") && `given up, and the session was told ${types}`;
    }),
};

const heartbeatsAscend: Rule = {
  name: "6 heartbeats ascend over the item's whole life",
  check: (before, after) =>
    first(after.works.values(), (work) => {
      const was = before.works.get(work.id);
      if (was === undefined || work.latestHeartbeatAt === null) return false;
      if (work.latestHeartbeatAt === was.latestHeartbeatAt) return false;
      return work.latestHeartbeatAt <= was.heartbeatFloor && "a heartbeat was issued again";
    }),
};

export const RULES: readonly Rule[] = [
  heartbeatsAscend,
  noResurrection,
  stampsGoWithStates,
  oneLiveItem,
  inputIsMarked,
  conservation,
  eventsAreKept,
  attemptsAreBounded,
];
