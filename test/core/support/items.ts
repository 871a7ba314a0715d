import { type Decision, decide, type WorkCommand } from "../../../src/core/decide.ts";
import type { Fault, Outcome } from "../../../src/core/faults.ts";
import type { QueuePolicy, WorkRecord } from "../../../src/core/records.ts";
import type { Micros } from "../../../src/core/time.ts";

export const SECOND = 1_000_000;
/** 2026-07-01T08:00:00Z. */
export const T0: Micros = 1_782_892_800_000_000;
export const POLICY: QueuePolicy = { maxAttempts: 5, drainSeconds: 600, startSeconds: 60 };

/** A queued item that nobody has seen yet. */
export const QUEUED: WorkRecord = {
  id: "work_01",
  environmentId: "env_01",
  sessionId: "sess_01",
  state: "queued",
  metadata: {},
  createdAt: T0,
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

export function value<T>(outcome: Outcome<T>): T {
  if (outcome.refused) throw new Error(`refused: ${outcome.refused.message}`);
  return outcome.value;
}

export function fault(outcome: Outcome<unknown>): Fault {
  if (outcome.refused === undefined) throw new Error("was accepted");
  return outcome.refused;
}

export const run = (item: WorkRecord, command: WorkCommand, now: Micros, policy = POLICY): Outcome<Decision> =>
  decide(item, command, now, policy);

/** What the item is after a command that must be accepted. */
export const applied = (item: WorkRecord, command: WorkCommand, now: Micros, policy = POLICY): WorkRecord =>
  value(run(item, command, now, policy)).item;

export const deliver = (workerId: string | null): WorkCommand => ({ type: "deliver", workerId });
export const ack = (workerId: string | null, lastEventId: string | null = null): WorkCommand => ({
  type: "ack",
  workerId,
  lastEventId,
});
export const lapse: WorkCommand = { type: "lapse" };
export const release = (workerId: string | null, delayMs = 0): WorkCommand => ({ type: "release", workerId, delayMs });
export const stop = (workerId: string | null, force = false, processedThrough?: string): WorkCommand => ({
  type: "stop",
  force,
  workerId,
  processedThrough,
});

export function heartbeat(
  workerId: string | null,
  expected: Micros | null | undefined,
  options: { ttlSeconds?: number; retry?: boolean; key?: string } = {},
): WorkCommand {
  return {
    type: "heartbeat",
    workerId,
    expected,
    ttlSeconds: options.ttlSeconds ?? 60,
    declaredRetry: options.retry ?? false,
    idempotencyKey: options.key ?? null,
  };
}

/* The same item further on in its life, all held by w1: delivered at +1 s, acked +2 s, beat +3 s, told to stop +4 s. */

export const DELIVERED = applied(QUEUED, deliver("w1"), T0 + 1 * SECOND);
export const STARTING = applied(DELIVERED, ack("w1", "evt_05"), T0 + 2 * SECOND);
export const ACTIVE = applied(STARTING, heartbeat("w1", null), T0 + 3 * SECOND);
export const STOPPING = applied(ACTIVE, stop(null), T0 + 4 * SECOND);
export const STOPPED = applied(STOPPING, stop("w1"), T0 + 5 * SECOND);
