import type { BackoffBounds } from "../client/backoff.ts";
import { ApiError, ConnectionError } from "../client/errors.ts";
import type { WorkHeartbeat } from "../contract/shapes.ts";
import { classify, describe, isHandOutOver, retryWaitMs } from "./failures.ts";

/** One try of one heartbeat. */
export interface BeatTry {
  readonly expectedLastHeartbeat: string;
  /** The same for every try of one beat. */
  readonly idempotencyKey: string;
  /** 0 for the first try. */
  readonly retryCount: number;
  readonly ttlSeconds: number;
  readonly timeoutMs: number;
}

/** Everything outside of the lease loop. Time is monotonic, in milliseconds of any origin. */
export interface LeasePorts {
  beat(tried: BeatTry): Promise<WorkHeartbeat>;
  nowMs(): number;
  wait(ms: number): Promise<void>;
  random(): number;
  newKey(): string;
}

export interface LeaseTerms {
  readonly ttlSeconds: number;
  /** The item's last heartbeat, for a lease that was somebody else's before. Left out: it has had none. */
  readonly lastHeartbeat?: string | undefined;
  /** How long the first beat may take from now on. */
  readonly firstBeatWithinMs: number;
}

export type LeaseNews =
  | {
      readonly type: "beat";
      readonly state: WorkHeartbeat["state"];
      readonly endsAtMs: number;
      readonly lastHeartbeat: string;
    }
  | {
      /** The first try of a beat that did not get through; the next ones are not told. */
      readonly type: "failing";
      readonly why: string;
      readonly leftMs: number;
    }
  | {
      readonly type: "lost";
      /** The end of a sentence, without its full stop. */
      readonly why: string;
      /** The server knows the hand-out no more. */
      readonly isOver: boolean;
      /** Somebody else beats for the same hand-out: who was given its token has taken the lease over. */
      readonly takenOver: boolean;
    };

const RETRY: BackoffBounds = { baseMs: 100, maxMs: 2_000 };
/** Half of what is left, so that another try fits in, within bounds: a slow server must be able to answer at all. */
const TRY_MS = { min: 2_000, max: 10_000 } as const;

/**
 * Keeps one lease until it is lost: a beat at once, then one within every third of the TTL, so that two may fail.
 *
 * The end of the lease is reckoned from the moment at which a beat was first sent, which is never later than the moment
 * from which the server reckons. So this side stops believing in the lease before the server gives the item away. A beat
 * whose answer got lost is sent again as the same beat; a new one could only be refused, because the server may have
 * accepted the lost one.
 */
export async function keepLease(
  terms: LeaseTerms,
  ports: LeasePorts,
  report: (news: LeaseNews) => void,
): Promise<void> {
  let expected = terms.lastHeartbeat ?? "NO_HEARTBEAT";
  let endsAtMs = ports.nowMs() + terms.firstBeatWithinMs;
  for (;;) {
    const beat = await beatUntil(endsAtMs, expected, terms.ttlSeconds, ports, report);
    if ("why" in beat) return report(beat);
    const { answer, firstSentAtMs } = beat;
    expected = answer.last_heartbeat;
    if (answer.lease_extended) endsAtMs = firstSentAtMs + answer.ttl_seconds * 1_000;
    report({ type: "beat", state: answer.state, endsAtMs, lastHeartbeat: expected });
    // Jitter makes beats earlier, never later. After the drain limit no beat extends the lease: wait for its end.
    const intervalMs = ((answer.ttl_seconds * 1_000) / 3) * (0.8 + 0.2 * ports.random());
    const nextAtMs = answer.lease_extended ? Math.min(endsAtMs, firstSentAtMs + intervalMs) : endsAtMs;
    await ports.wait(Math.max(0, nextAtMs - ports.nowMs()));
  }
}

interface AcceptedBeat {
  readonly answer: WorkHeartbeat;
  readonly firstSentAtMs: number;
}

type LostLease = Extract<LeaseNews, { type: "lost" }>;

const lost = (why: string, how: { isOver?: boolean; takenOver?: boolean } = {}): LostLease => ({
  ...{ type: "lost", why: why.replace(/\.$/, ""), isOver: false, takenOver: false },
  ...how,
});

/** Tries one beat until it is accepted, or it is clear that it never will be. */
async function beatUntil(
  endsAtMs: number,
  expectedLastHeartbeat: string,
  ttlSeconds: number,
  ports: LeasePorts,
  report: (news: LeaseNews) => void,
): Promise<AcceptedBeat | LostLease> {
  const idempotencyKey = ports.newKey();
  const firstSentAtMs = ports.nowMs();
  let lastFailure: string | undefined;
  for (let retryCount = 0; ; retryCount += 1) {
    const leftMs = Math.floor(endsAtMs - ports.nowMs());
    if (leftMs <= 0) return lost(`its time is over: ${lastFailure ?? "no heartbeat extended it in time"}`);
    const timeoutMs = Math.min(leftMs, Math.max(TRY_MS.min, Math.min(TRY_MS.max, Math.floor(leftMs / 2))));
    try {
      const answer = await ports.beat({ expectedLastHeartbeat, idempotencyKey, retryCount, ttlSeconds, timeoutMs });
      return { answer, firstSentAtMs };
    } catch (failure) {
      if (classify(failure) === "final") {
        const takenOver = failure instanceof ApiError && failure.status === 412;
        const why = `the server refused its heartbeat: ${describe(failure)}`;
        return lost(why, { isOver: isHandOutOver(failure), takenOver });
      }
      const timedOut = failure instanceof ConnectionError && failure.code === "TIMEOUT";
      // The end of the lease cut this try short: that says nothing about the server, and the failure before it does.
      if (lastFailure === undefined || !timedOut || timeoutMs >= TRY_MS.min) lastFailure = describe(failure);
      if (retryCount === 0)
        report({ type: "failing", why: lastFailure, leftMs: Math.max(0, endsAtMs - ports.nowMs()) });
      const remainingMs = Math.max(0, endsAtMs - ports.nowMs());
      await ports.wait(Math.min(remainingMs, retryWaitMs(failure, retryCount, RETRY)));
    }
  }
}
