import { decide, undeliver, type WorkCommand } from "../decide.ts";
import { done, type Outcome } from "../faults.ts";
import { isHandOutLive } from "../lease.ts";
import { type MetadataPatch, mergeMetadata } from "../metadata.ts";
import type { Beat, WorkRecord } from "../records.ts";
import { type Micros, msToMicros } from "../time.ts";
import { followWork } from "../turn.ts";
import type { Unit } from "../unit.ts";
import { define, findQueue, handOutOver, noSuchWork } from "./command.ts";

export interface WorkTarget {
  readonly environmentId: string;
  readonly workId: string;
  /** The hand-out that the caller proved to act for; once it is over, the call is refused whatever else it says. */
  readonly handOut?: number | undefined;
}

export interface PollInput {
  readonly environmentId: string;
  readonly workerId: string | null;
  readonly reclaimOlderThanMs: number;
  /** True once the caller has hung up: asked at the last moment, so that nobody's item goes to a closed socket. */
  readonly abandoned?: () => boolean;
}

export interface Claim {
  readonly item: WorkRecord;
  /**
   * Whether another item could be claimed right now. Only a hint of those that were delivered before: a store need not
   * count them, because whoever waits has a timer for when they come due.
   */
  readonly more: boolean;
}

/** Hands out the oldest item that can be claimed, or nothing. */
export const poll = define<PollInput, Claim | null>({
  needs(input, needs) {
    needs.environments.add(input.environmentId);
    needs.claims.push({
      environmentId: input.environmentId,
      windowMicros: msToMicros(input.reclaimOlderThanMs),
    });
  },
  apply(unit, input) {
    const environment = findQueue(unit, input.environmentId);
    if (environment.refused) return environment;
    if (input.abandoned?.() === true) return done(null);
    const oldest = unit.oldestClaimable(input.environmentId, msToMicros(input.reclaimOlderThanMs));
    if (oldest === undefined) return done(null);
    const command: WorkCommand = { type: "deliver", workerId: input.workerId };
    const decided = decide(oldest.item, command, unit.now, environment.value.policy);
    if (decided.refused) return decided;
    unit.putWork(decided.value.item);
    return done({ item: decided.value.item, more: oldest.more });
  },
});

/** Takes back a delivery whose caller was gone before the answer could be written. */
export const takeBackDelivery = define<Required<WorkTarget> & { readonly handOut: number }, boolean>({
  needs: (input, needs) => void needs.works.add(input.workId),
  apply(unit, input) {
    const item = unit.work(input.workId);
    const restored = item && undeliver(item, input.handOut);
    if (restored === undefined) return done(false);
    unit.putWork(restored);
    return done(true);
  },
});

/** One command on one item, and what it means for the item's session. */
function change(unit: Unit, target: WorkTarget, command: WorkCommand, reason?: string): Outcome<WorkRecord> {
  const environment = findQueue(unit, target.environmentId);
  if (environment.refused) return environment;
  const before = unit.work(target.workId);
  if (before === undefined || before.environmentId !== target.environmentId) {
    return noSuchWork(target.workId, target.environmentId);
  }
  if (target.handOut !== undefined && !isHandOutLive(before, target.handOut)) return handOutOver(target.workId);
  const decided = decide(before, command, unit.now, environment.value.policy);
  if (decided.refused) return decided;
  const after = decided.value.item;
  if (decided.value.changed) {
    unit.putWork(after);
    const firstBeat = before.latestHeartbeatAt === null && after.latestHeartbeatAt !== null;
    if (after.state !== before.state || firstBeat) followWork(unit, before, after, reason);
  }
  return done(after);
}

function itemNeeds(target: WorkTarget, needs: Parameters<typeof poll.needs>[1]): void {
  needs.environments.add(target.environmentId);
  needs.works.add(target.workId);
}

/** Of a command that ends a turn, or sends the item back into the queue. */
function turnNeeds(target: WorkTarget, needs: Parameters<typeof poll.needs>[1]): void {
  itemNeeds(target, needs);
  needs.turns.add(target.workId);
}

/** The newest event of the item's session. */
function newestEventId(unit: Unit, target: WorkTarget): string | null {
  const sessionId = unit.work(target.workId)?.sessionId;
  return sessionId === undefined ? null : (unit.session(sessionId)?.lastEventId ?? null);
}

export const ack = define<WorkTarget & { readonly workerId: string | null }, WorkRecord>({
  needs: itemNeeds,
  apply(unit, input) {
    return change(unit, input, { type: "ack", workerId: input.workerId, lastEventId: newestEventId(unit, input) });
  },
});

export interface HeartbeatInput extends WorkTarget {
  readonly workerId: string | null;
  readonly expected: Micros | null | undefined;
  readonly ttlSeconds: number;
  readonly declaredRetry: boolean;
  readonly idempotencyKey: string | null;
}

export interface HeartbeatAnswer {
  readonly at: Micros;
  readonly beat: Beat;
}

export const heartbeat = define<HeartbeatInput, HeartbeatAnswer>({
  needs: itemNeeds,
  apply(unit, input) {
    const { workerId, expected, ttlSeconds, declaredRetry, idempotencyKey } = input;
    const command = { type: "heartbeat", workerId, expected, ttlSeconds, declaredRetry, idempotencyKey } as const;
    const changed = change(unit, input, command);
    if (changed.refused) return changed;
    const { beat, latestHeartbeatAt } = changed.value;
    if (beat === null || latestHeartbeatAt === null) throw new Error(`${input.workId} accepted a beat and holds none`);
    return done({ at: latestHeartbeatAt, beat });
  },
});

export interface StopInput extends WorkTarget {
  readonly force: boolean;
  readonly workerId: string | null;
  readonly processedThrough?: string | undefined;
}

export const stop = define<StopInput, WorkRecord>({
  needs: turnNeeds,
  apply(unit, input) {
    const told = input.processedThrough;
    const newest = newestEventId(unit, input);
    // A position beyond the newest event must not make the session deaf to input that is yet to come.
    const processedThrough = told !== undefined && newest !== null && told > newest ? newest : told;
    return change(unit, input, { type: "stop", force: input.force, workerId: input.workerId, processedThrough });
  },
});

export interface ReleaseInput extends WorkTarget {
  readonly workerId: string | null;
  readonly delayMs: number;
  /** Why, in the worker's words: whoever follows the session reads it. */
  readonly reason?: string | undefined;
}

export const release = define<ReleaseInput, WorkRecord>({
  needs: turnNeeds,
  apply: (unit, input) =>
    change(unit, input, { type: "release", workerId: input.workerId, delayMs: input.delayMs }, input.reason),
});

export const updateWork = define<WorkTarget & { readonly metadata: MetadataPatch | undefined }, WorkRecord>({
  needs: itemNeeds,
  apply(unit, input) {
    const environment = findQueue(unit, input.environmentId);
    if (environment.refused) return environment;
    const item = unit.work(input.workId);
    if (item === undefined || item.environmentId !== input.environmentId) {
      return noSuchWork(input.workId, input.environmentId);
    }
    if (input.handOut !== undefined && !isHandOutLive(item, input.handOut)) return handOutOver(input.workId);
    if (input.metadata === undefined) return done(item);
    const merged = mergeMetadata(item.metadata, input.metadata);
    if (merged.refused) return merged;
    const next = { ...item, metadata: merged.value };
    unit.putWork(next);
    return done(next);
  },
});

export interface SweepResult {
  /** Leases that ended. */
  readonly lapsed: number;
  /** Items that were looked at; as many as the limit means that more may be waiting. */
  readonly examined: number;
}

/** Ends every lease whose deadline has passed, at most `limit` items at a time. */
export const sweep = define<{ readonly limit: number }, SweepResult>({
  needs(input, needs) {
    needs.sweepLimit = Math.max(needs.sweepLimit, input.limit);
  },
  apply(unit, input) {
    let lapsed = 0;
    let examined = 0;
    for (const { id } of unit.due()) {
      if (examined === input.limit) break;
      // Another call of this batch may have extended the lease: judge the item as it is now.
      const item = unit.work(id);
      if (item === undefined || item.sweepAt === null || item.sweepAt > unit.now) continue;
      examined += 1;
      if (item.deadlineAt !== null && item.deadlineAt > unit.now) {
        unit.putWork({ ...item, sweepAt: item.deadlineAt });
        continue;
      }
      const environment = unit.environment(item.environmentId);
      if (environment === undefined) throw new Error(`${item.id} belongs to no environment`);
      const decided = decide(item, { type: "lapse" }, unit.now, environment.policy);
      if (decided.refused) throw new Error(decided.refused.message);
      unit.putWork(decided.value.item);
      followWork(unit, item, decided.value.item, "lease_lapsed");
      lapsed += 1;
    }
    return done({ lapsed, examined });
  },
});
