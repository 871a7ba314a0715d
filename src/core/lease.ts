import type { QueuePolicy, WorkRecord } from "./records.ts";
import { type Micros, secondsToMicros } from "./time.ts";

/** Bounds of `desired_ttl_seconds`; a wish outside of them is clamped, not refused. */
export const TTL_SECONDS = { min: 10, max: 600, default: 60 } as const;

/** How old a delivery must be before a poll that names no `reclaim_older_than_ms` hands the item out again. */
export const DEFAULT_RECLAIM_MS = 5_000;

export function clampTtlSeconds(desired: number | undefined): number {
  if (desired === undefined) return TTL_SECONDS.default;
  return Math.min(TTL_SECONDS.max, Math.max(TTL_SECONDS.min, desired));
}

/** The deadline after an ack: the first heartbeat has to come before it. */
export const startDeadline = (now: Micros, policy: QueuePolicy): Micros => now + secondsToMicros(policy.startSeconds);

/** The instant after which a stopping item's lease is not extended any more. */
export const drainLimit = (stopRequestedAt: Micros, policy: QueuePolicy): Micros =>
  stopRequestedAt + secondsToMicros(policy.drainSeconds);

/**
 * Until when a heartbeat extends the lease, and how many seconds that is. Where the drain limit cuts it they are rounded
 * down, so that a worker does not believe in its lease for longer than it lasts; only the last second, which is extended
 * like those before it, is told as a whole one. 0: not extended, because the limit is over.
 */
export function extendedLease(
  item: WorkRecord,
  now: Micros,
  ttlSeconds: number,
  policy: QueuePolicy,
): { deadlineAt: Micros; ttlSeconds: number } {
  const wanted = now + secondsToMicros(ttlSeconds);
  if (item.stopRequestedAt === null) return { deadlineAt: wanted, ttlSeconds };
  const limit = drainLimit(item.stopRequestedAt, policy);
  if (limit >= wanted) return { deadlineAt: wanted, ttlSeconds };
  if (limit <= now) return { deadlineAt: item.deadlineAt ?? limit, ttlSeconds: 0 };
  return { deadlineAt: limit, ttlSeconds: Math.max(1, Math.floor((limit - now) / secondsToMicros(1))) };
}

/** Whether a poll with this window may hand the item out now. The order among several is by id. */
export function isClaimable(item: WorkRecord, now: Micros, windowMicros: number): boolean {
  if (item.state !== "queued") return false;
  if (item.deliveredAt !== null) return item.deliveredAt <= now - windowMicros;
  return item.availableAt === null || item.availableAt <= now;
}

/**
 * Whether this hand-out of the item still goes on. It begins with its delivery (or an ack without one) and ends with a
 * lapse, a release, the next delivery or the stop; whatever identifies it is worthless from then on.
 */
export function isHandOutLive(item: WorkRecord, handOut: number): boolean {
  if (item.handOut !== handOut || item.state === "stopped") return false;
  return item.state !== "queued" || item.deliveredAt !== null;
}

/** Heartbeats ascend strictly over the item's whole life, whatever the clock does. */
export const nextHeartbeat = (item: WorkRecord, now: Micros): Micros => Math.max(now, item.heartbeatFloor + 1);
