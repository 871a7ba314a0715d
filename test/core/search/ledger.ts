/**
 * What the answers given so far add up to, kept from the calls and by the words of the contract alone: no rule of
 * `src` is used here, so that a bent rule cannot bend what it is judged by.
 */
import type { Micros } from "../../../src/core/time.ts";
import { SECOND } from "../support/items.ts";
import { POLICY, RELEASE_DELAY_MS, TTL_SECONDS, type WorkerId } from "./setting.ts";
import type { Call, World } from "./world.ts";

export interface Ledger {
  /** How many hand-outs have begun. */
  readonly handOut: number;
  /** The poll answer that nobody has acknowledged yet. */
  readonly delivered: { readonly to: WorkerId; readonly at: Micros } | null;
  /** Who acknowledged the current hand-out; stays until it lapses or is released. */
  readonly owner: WorkerId | null;
  /** Workers whose ack or heartbeat was accepted within the current hand-out. */
  readonly accepted: readonly WorkerId[];
  readonly acknowledgedAt: Micros | null;
  readonly startedAt: Micros | null;
  /** The last heartbeat of the current hand-out, and the value that it replaced. */
  readonly beat: { readonly at: Micros; readonly replaced: Micros | null } | null;
  readonly greatestBeat: Micros;
  /** When the lease of the current hand-out ends, by the contract. */
  readonly leaseEnd: Micros | null;
  readonly availableAt: Micros | null;
  readonly stopRequestedAt: Micros | null;
  readonly stopped: boolean;
  /** The last hand-out that each worker was given; 0: none yet. */
  readonly lastHandOut: Readonly<Record<WorkerId, number>>;
  /** The last one that each worker acknowledged. */
  readonly lastOwned: Readonly<Record<WorkerId, number>>;
}

export const NEW_LEDGER: Ledger = {
  handOut: 0,
  delivered: null,
  owner: null,
  accepted: [],
  acknowledgedAt: null,
  startedAt: null,
  beat: null,
  greatestBeat: 0,
  leaseEnd: null,
  availableAt: null,
  stopRequestedAt: null,
  stopped: false,
  lastHandOut: { w1: 0, w2: 0 },
  lastOwned: { w1: 0, w2: 0 },
};

/** The worker to which the current hand-out belongs, once it was delivered or acknowledged. */
export const holderOf = (ledger: Ledger): WorkerId | null => ledger.owner ?? ledger.delivered?.to ?? null;

const withWorker = (workers: readonly WorkerId[], worker: WorkerId): readonly WorkerId[] =>
  workers.includes(worker) ? workers : [...workers, worker].sort();

export const drainLimit = (stopRequestedAt: Micros): Micros => stopRequestedAt + POLICY.drainSeconds * SECOND;

function extended(ledger: Ledger, at: Micros): Micros | null {
  const wanted = at + TTL_SECONDS * SECOND;
  if (ledger.stopRequestedAt === null) return wanted;
  const limit = drainLimit(ledger.stopRequestedAt);
  return limit <= at ? ledger.leaseEnd : Math.min(wanted, limit);
}

const handOutOver = (ledger: Ledger): Ledger => ({
  ...NEW_LEDGER,
  handOut: ledger.handOut,
  greatestBeat: ledger.greatestBeat,
  lastHandOut: ledger.lastHandOut,
  lastOwned: ledger.lastOwned,
});

/** The ledger after an accepted call. `answer` is the world with the answered item in it. */
export function record(ledger: Ledger, call: Call, answer: World): Ledger {
  const at = answer.now;
  const { item } = answer;
  switch (call.type) {
    case "deliver": {
      const handOut = ledger.handOut + 1;
      const lastHandOut = { ...ledger.lastHandOut, [call.by]: handOut };
      return { ...ledger, handOut, lastHandOut, availableAt: null, delivered: { to: call.by, at } };
    }
    case "ack": {
      if (ledger.owner !== null) return { ...ledger, accepted: withWorker(ledger.accepted, call.by) };
      const handOut = ledger.delivered === null ? ledger.handOut + 1 : ledger.handOut;
      return {
        ...handOutOver(ledger),
        handOut,
        lastHandOut: { ...ledger.lastHandOut, [call.by]: handOut },
        lastOwned: { ...ledger.lastOwned, [call.by]: handOut },
        owner: call.by,
        accepted: [call.by],
        acknowledgedAt: item.acknowledgedAt,
        leaseEnd: at + POLICY.startSeconds * SECOND,
      };
    }
    case "heartbeat":
    case "heartbeatReplyLost":
    case "heartbeatRetry": {
      const accepted = withWorker(ledger.accepted, call.by);
      const value = item.latestHeartbeatAt as Micros;
      if (value === ledger.beat?.at) return { ...ledger, accepted };
      const startedAt = ledger.startedAt ?? (item.state === "active" ? value : null);
      const beat = { at: value, replaced: ledger.beat?.at ?? null };
      const greatestBeat = Math.max(ledger.greatestBeat, value);
      return { ...ledger, accepted, startedAt, beat, greatestBeat, leaseEnd: extended(ledger, at) };
    }
    case "stop":
    case "forceStop": {
      if (ledger.stopped) return ledger;
      const stopRequestedAt = ledger.stopRequestedAt ?? Math.max(at, item.createdAt);
      const ends = call.type === "forceStop" || ledger.owner === null || ledger.stopRequestedAt !== null;
      const limit = drainLimit(stopRequestedAt);
      const leaseEnd = ends ? null : Math.min(ledger.leaseEnd ?? limit, limit);
      return { ...ledger, stopRequestedAt, stopped: ends, leaseEnd, delivered: null };
    }
    case "release":
      return handOutOver(ledger);
    case "releaseLater":
      return { ...handOutOver(ledger), availableAt: at + RELEASE_DELAY_MS * 1_000 };
    case "lapse":
      return item.state === "stopped" ? { ...ledger, stopped: true, leaseEnd: null } : handOutOver(ledger);
    case "undeliver":
      // As if it had never been delivered since the last owner: nobody has it, under whatever number.
      return { ...ledger, delivered: null, lastHandOut: ledger.lastOwned };
    default:
      return ledger;
  }
}
