/**
 * How a session follows its work items. A session has a live item exactly while it has something to do: input that
 * needs the agent queues one, and when a worker's item stops while input is still unanswered, the next one is queued in
 * the same commit.
 */
import { isAgentEvent } from "./event-types.ts";
import type { EventRecord, JsonObject, Metadata, SessionRecord, SessionStatus, WorkRecord } from "./records.ts";
import type { Unit } from "./unit.ts";

export type StopReason = "end_turn" | "cancelled" | "retries_exhausted";

/** An event on its way in: what the caller sent, before it has an id and a time. */
export interface NewEvent {
  readonly type: string;
  readonly payload: JsonObject;
  /** Whether the session has something to do from here on. */
  readonly needsAgent: boolean;
}

/** Appends one event: ids of a session ascend, also across replicas whose clocks differ. */
export function append(unit: Unit, session: SessionRecord, event: NewEvent): [SessionRecord, EventRecord] {
  const id = unit.newId("event", session.lastEventId);
  const record: EventRecord = {
    id,
    sessionId: session.id,
    type: event.type,
    payload: event.payload,
    createdAt: unit.now,
    processedAt: null,
  };
  unit.addEvent(record);
  const next: SessionRecord = {
    ...session,
    lastEventId: id,
    lastInputId: event.needsAgent ? id : session.lastInputId,
    lastAgentEventId: isAgentEvent(event.type) ? id : session.lastAgentEventId,
    updatedAt: unit.now,
  };
  return [next, record];
}

function setStatus(unit: Unit, session: SessionRecord, status: SessionStatus, payload: JsonObject = {}): SessionRecord {
  const name = status === "rescheduling" ? "rescheduled" : status;
  const [noted] = append(unit, session, { type: `session.status_${name}`, payload, needsAgent: false });
  const active = status === "running";
  const spent = session.activeSince === null ? 0 : Math.max(0, unit.now - session.activeSince);
  return {
    ...noted,
    status,
    activeMicros: session.activeMicros + spent,
    activeSince: active ? unit.now : null,
  };
}

export function newWork(id: string, session: SessionRecord, createdAt: number): WorkRecord {
  return {
    id,
    environmentId: session.environmentId,
    sessionId: session.id,
    state: "queued",
    metadata: session.metadata,
    createdAt,
    acknowledgedAt: null,
    startedAt: null,
    latestHeartbeatAt: null,
    stopRequestedAt: null,
    stoppedAt: null,
    handOut: 0,
    deliveredAt: null,
    deliveredTo: null,
    holder: null,
    formerHolder: null,
    availableAt: null,
    attempts: 0,
    deadlineAt: null,
    sweepAt: null,
    heartbeatFloor: 0,
    beat: null,
    ackedThrough: null,
    processedThrough: null,
  };
}

/** Queues an item for a session that has something to do and no live item. */
function enqueue(unit: Unit, session: SessionRecord): SessionRecord {
  const work = newWork(unit.newId("work"), session, unit.now);
  unit.putWork(work, true);
  const running = session.status === "running" ? session : setStatus(unit, session, "running");
  return { ...running, liveWorkId: work.id };
}

/** Takes accepted events into the session; the caller puts the result. */
export function receive(
  unit: Unit,
  session: SessionRecord,
  events: readonly NewEvent[],
): [SessionRecord, EventRecord[]] {
  const records: EventRecord[] = [];
  let next = session;
  for (const event of events) {
    const [appended, record] = append(unit, next, event);
    next = appended;
    records.push(record);
  }
  if (next.liveWorkId === null && events.some((event) => event.needsAgent)) next = enqueue(unit, next);
  return [next, records];
}

/**
 * What a changed item means to its session. Called for every change of state, and for the first heartbeat of a hand-out,
 * which may find the item `stopping`, in the same unit.
 *
 * @param reason why the item went back into the queue, for whoever follows the session
 */
export function followWork(unit: Unit, before: WorkRecord, after: WorkRecord, reason = "released"): void {
  const session = unit.session(after.sessionId);
  if (session === undefined) throw new Error(`${after.id} refers to ${after.sessionId}, which is not loaded`);
  if (after.state === "stopped") {
    if (session.liveWorkId === after.id) unit.putSession(endTurn(unit, session, before, after));
  } else if (after.state === "queued") {
    unit.putSession(setStatus(unit, session, "rescheduling", { reason }));
  } else if (after.latestHeartbeatAt !== null && session.status === "rescheduling") {
    unit.putSession(setStatus(unit, session, "running"));
  }
}

function endTurn(unit: Unit, session: SessionRecord, before: WorkRecord, after: WorkRecord): SessionRecord {
  const exhausted = after.stopRequestedAt === null;
  const reason = stopReason(session, before, exhausted);
  let next: SessionRecord = { ...session, liveWorkId: null };
  const answered = answeredThrough(session, before, after);
  if (answered !== null && answered !== session.processedThrough) {
    unit.markProcessed({ sessionId: session.id, after: session.processedThrough, through: answered, at: unit.now });
    next = { ...next, processedThrough: answered };
  }
  if (session.archivedAt !== null || session.deletedAt !== null) return next;
  const unanswered = session.lastInputId !== null && (answered === null || session.lastInputId > answered);
  if (exhausted) next = giveUp(unit, next, after);
  if (unanswered && before.state !== "queued") {
    // Told as a new start, so that whoever follows the session sees the end of the cancelled or exhausted turn.
    if (reason !== "end_turn") next = setStatus(unit, next, "idle", { stop_reason: { type: reason } });
    return enqueue(unit, next);
  }
  return setStatus(unit, next, "idle", { stop_reason: { type: reason } });
}

function giveUp(unit: Unit, session: SessionRecord, item: WorkRecord): SessionRecord {
  const lost =
    item.attempts === 1
      ? "a worker took it and lost its lease"
      : `${item.attempts} workers took it and lost their lease`;
  const message = `Work item ${item.id} was given up: ${lost}. Look at what was logged there, then send the message again.`;
  const [next] = append(unit, session, {
    type: "session.error",
    payload: { error: { type: "retries_exhausted", message } },
    needsAgent: false,
  });
  return next;
}

function stopReason(session: SessionRecord, before: WorkRecord, exhausted: boolean): StopReason {
  if (exhausted) return "retries_exhausted";
  if (before.state === "queued") return "cancelled";
  const cancelled = session.cancelledThrough !== null && session.cancelledThrough >= (before.ackedThrough ?? "");
  return cancelled ? "cancelled" : "end_turn";
}

/**
 * Up to which event the input of the session has been dealt with when its item stops.
 *
 * With `processed_through` the worker says so. Without it, everything that was there at the ack counts as dealt with, and
 * so does everything when an `agent.*` event follows the newest input. Cancelled input counts too.
 */
function answeredThrough(session: SessionRecord, before: WorkRecord, after: WorkRecord): string | null {
  if (before.state === "queued") return session.lastInputId;
  const repliedToLast =
    session.lastInputId !== null && session.lastAgentEventId !== null && session.lastAgentEventId > session.lastInputId;
  const answered = after.processedThrough ?? (repliedToLast ? session.lastInputId : after.ackedThrough);
  return latest(latest(answered, session.cancelledThrough), session.processedThrough);
}

function latest(a: string | null, b: string | null): string | null {
  if (a === null) return b;
  return b === null || a > b ? a : b;
}

export function newSession(
  id: string,
  fields: { environmentId: string; agent: JsonObject | null; title: string | null; metadata: Metadata },
  now: number,
): SessionRecord {
  return {
    id,
    environmentId: fields.environmentId,
    agent: fields.agent,
    title: fields.title,
    metadata: fields.metadata,
    status: "idle",
    liveWorkId: null,
    lastEventId: null,
    lastInputId: null,
    lastAgentEventId: null,
    processedThrough: null,
    cancelledThrough: null,
    activeMicros: 0,
    activeSince: null,
    archivedAt: null,
    createdAt: now,
    updatedAt: now,
    deletedAt: null,
  };
}

/** Ends a session for good: no input is taken any more. */
export function terminate(unit: Unit, session: SessionRecord): SessionRecord {
  return setStatus(unit, session, "terminated");
}
