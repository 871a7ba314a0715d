import { done, type Outcome, refuse } from "./faults.ts";
import { drainLimit, extendedLease, nextHeartbeat, startDeadline } from "./lease.ts";
import type { QueuePolicy, WorkRecord } from "./records.ts";
import { type Micros, msToMicros } from "./time.ts";
import { TRANSITIONS, type WorkEvent, type WorkState } from "./transitions.ts";

export type WorkCommand =
  | { readonly type: "deliver"; readonly workerId: string | null }
  | { readonly type: "ack"; readonly workerId: string | null; readonly lastEventId: string | null }
  | {
      readonly type: "heartbeat";
      readonly workerId: string | null;
      /** `undefined`: unconditional; `null`: `NO_HEARTBEAT`. */
      readonly expected: Micros | null | undefined;
      /** Already clamped. */
      readonly ttlSeconds: number;
      /** The caller says that this repeats a call of its own. */
      readonly declaredRetry: boolean;
      readonly idempotencyKey: string | null;
    }
  | {
      readonly type: "stop";
      readonly force: boolean;
      readonly workerId: string | null;
      readonly processedThrough?: string | undefined;
    }
  | { readonly type: "release"; readonly workerId: string | null; readonly delayMs: number }
  | { readonly type: "lapse" };

export interface Decision {
  readonly item: WorkRecord;
  /** False when the call is answered from what is stored and nothing may be written. */
  readonly changed: boolean;
}

/**
 * The whole life of a work item: what a command does to it at an instant. Pure, and the only place that changes a state.
 * Refusals leave nothing behind.
 */
export function decide(item: WorkRecord, command: WorkCommand, now: Micros, policy: QueuePolicy): Outcome<Decision> {
  const event: WorkEvent = command.type === "stop" && command.force ? "forceStop" : command.type;
  const to = TRANSITIONS[item.state][event];
  if (to === "never") throw new Error(`${event} was raised on a ${item.state} item`);
  if (to === "refused") return refuse("work_conflict", refusal(item, event));
  const stranger = foreignCaller(item, command);
  if (stranger !== undefined) return refuse("work_conflict", stranger);
  if (to === "unchanged") return adopt(item, command);
  switch (command.type) {
    case "deliver":
      return changed(deliver(item, command.workerId, now));
    case "ack":
      return changed(ack(item, command.workerId, command.lastEventId, now, policy));
    case "heartbeat":
      return beat(item, command, to, now, policy);
    case "stop":
      return changed(stop(item, command.processedThrough, to, now, policy));
    case "release":
      return changed(requeue(item, now, command.delayMs));
    case "lapse":
      return changed(lapse(item, to, now, policy));
  }
}

const changed = (item: WorkRecord): Outcome<Decision> => done({ item, changed: true });

function refusal(item: WorkRecord, event: WorkEvent): string {
  if (item.state === "queued") {
    return `Work item ${item.id} is queued: acknowledge it before you call ${event}. If you held it, your lease has ended and the item is no longer yours.`;
  }
  if (item.state === "stopped")
    return `Work item ${item.id} is stopped, which is final: ${event} is refused. Poll for the next item.`;
  return `Work item ${item.id} is ${item.state}: ${event} is refused. Finish the session and stop the item.`;
}

/** The ownership rule: a sentence when the call names a worker that is not the item's, else `undefined`. */
function foreignCaller(item: WorkRecord, command: WorkCommand): string | undefined {
  if (command.type === "deliver" || command.type === "lapse" || command.workerId === null) return undefined;
  const owner = item.state === "queued" ? item.deliveredTo : item.holder;
  if (owner === command.workerId) return undefined;
  if (owner !== null) {
    return item.state === "queued"
      ? `Work item ${item.id} was last delivered to another worker. Poll for an item of your own.`
      : `Work item ${item.id} belongs to another worker. Drop it and poll for an item of your own.`;
  }
  // Nobody is known to own it, so a worker that stops it under its name does so for a hand-out that is over.
  if (command.type === "stop" && item.formerHolder !== null) {
    return `Work item ${item.id} waits for its next owner, and until then no worker stops it. If you held it, your lease has ended: drop it and poll for an item of your own. An operator stops it without a Worker-ID.`;
  }
  return undefined;
}

/** A repeated call. An ack that is the first to name a worker binds the hand-out to it, which no answer shows. */
function adopt(item: WorkRecord, command: WorkCommand): Outcome<Decision> {
  if (command.type === "ack" && command.workerId !== null && item.holder === null) {
    return changed({ ...item, holder: command.workerId });
  }
  return done({ item, changed: false });
}

function deliver(item: WorkRecord, workerId: string | null, now: Micros): WorkRecord {
  return {
    ...item,
    handOut: item.handOut + 1,
    deliveredAt: now,
    deliveredTo: workerId,
    formerHolder: item.deliveredTo ?? item.formerHolder,
    availableAt: null,
  };
}

function ack(
  item: WorkRecord,
  workerId: string | null,
  lastEventId: string | null,
  now: Micros,
  policy: QueuePolicy,
): WorkRecord {
  const deadlineAt = startDeadline(now, policy);
  return {
    ...item,
    state: "starting",
    handOut: item.deliveredAt === null ? item.handOut + 1 : item.handOut,
    acknowledgedAt: Math.max(now, item.createdAt),
    holder: workerId ?? item.deliveredTo,
    deliveredAt: null,
    deliveredTo: null,
    availableAt: null,
    deadlineAt,
    sweepAt: deadlineAt,
    ackedThrough: lastEventId,
  };
}

function beat(
  item: WorkRecord,
  command: Extract<WorkCommand, { type: "heartbeat" }>,
  to: WorkState,
  now: Micros,
  policy: QueuePolicy,
): Outcome<Decision> {
  if (command.expected !== undefined && command.expected !== item.latestHeartbeatAt) {
    if (isRetryOfLastBeat(item, command)) return done({ item, changed: false });
    return refuse(
      "precondition_failed",
      item.latestHeartbeatAt === null
        ? `Work item ${item.id} has had no heartbeat in this hand-out: expected_last_heartbeat must be NO_HEARTBEAT.`
        : `expected_last_heartbeat is not the last heartbeat of work item ${item.id}. If your last one was answered, the item is no longer yours: drop it.`,
    );
  }
  const at = nextHeartbeat(item, Math.max(now, item.acknowledgedAt ?? now, item.startedAt ?? now));
  const lease = extendedLease(item, now, command.ttlSeconds, policy);
  return changed({
    ...item,
    state: to,
    startedAt: item.startedAt ?? (to === "active" ? at : null),
    latestHeartbeatAt: at,
    heartbeatFloor: at,
    holder: item.holder ?? command.workerId,
    deadlineAt: lease.deadlineAt,
    sweepAt: Math.min(item.sweepAt ?? lease.deadlineAt, lease.deadlineAt),
    beat: {
      replaced: item.latestHeartbeatAt,
      idempotencyKey: command.idempotencyKey,
      ttlSeconds: lease.ttlSeconds,
      stopping: to === "stopping",
    },
  });
}

function isRetryOfLastBeat(item: WorkRecord, command: Extract<WorkCommand, { type: "heartbeat" }>): boolean {
  if (item.beat === null || item.beat.replaced !== command.expected) return false;
  const sameKey = command.idempotencyKey !== null && command.idempotencyKey === item.beat.idempotencyKey;
  return command.declaredRetry || sameKey;
}

function stop(
  item: WorkRecord,
  processedThrough: string | undefined,
  to: WorkState,
  now: Micros,
  policy: QueuePolicy,
): WorkRecord {
  const stopRequestedAt = item.stopRequestedAt ?? Math.max(now, item.createdAt);
  const asked: WorkRecord = {
    ...item,
    stopRequestedAt,
    processedThrough: processedThrough ?? item.processedThrough,
  };
  if (to === "stopped") return finish(asked, now);
  const limit = drainLimit(stopRequestedAt, policy);
  const deadlineAt = Math.min(item.deadlineAt ?? limit, limit);
  return { ...asked, state: "stopping", deadlineAt, sweepAt: Math.min(item.sweepAt ?? deadlineAt, deadlineAt) };
}

function finish(item: WorkRecord, now: Micros): WorkRecord {
  return {
    ...item,
    state: "stopped",
    stoppedAt: Math.max(now, item.stopRequestedAt ?? now, item.latestHeartbeatAt ?? now),
    deliveredAt: null,
    deliveredTo: null,
    availableAt: null,
    deadlineAt: null,
    sweepAt: null,
  };
}

function requeue(item: WorkRecord, now: Micros, delayMs: number): WorkRecord {
  return {
    ...item,
    state: "queued",
    acknowledgedAt: null,
    startedAt: null,
    latestHeartbeatAt: null,
    deliveredAt: null,
    deliveredTo: null,
    holder: null,
    formerHolder: item.holder ?? item.formerHolder,
    availableAt: delayMs > 0 ? now + msToMicros(delayMs) : null,
    deadlineAt: null,
    sweepAt: null,
    beat: null,
    ackedThrough: null,
    processedThrough: null,
  };
}

function lapse(item: WorkRecord, to: WorkState, now: Micros, policy: QueuePolicy): WorkRecord {
  if (item.deadlineAt === null || item.deadlineAt > now) throw new Error(`lapse of ${item.id} before its deadline`);
  if (to === "stopped") return finish(item, now);
  const attempts = item.attempts + 1;
  if (policy.maxAttempts > 0 && attempts >= policy.maxAttempts) return finish({ ...item, attempts }, now);
  return { ...requeue(item, now, 0), attempts };
}

/** Takes a delivery back that nobody received, because the caller had hung up before the answer was written. */
export function undeliver(item: WorkRecord, handOut: number): WorkRecord | undefined {
  if (item.state !== "queued" || item.handOut !== handOut || item.deliveredAt === null) return undefined;
  return { ...item, deliveredAt: null, deliveredTo: null };
}
