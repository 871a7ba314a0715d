import type { SessionOutcome } from "./item-end.ts";
import type { WorkerMode } from "./lifecycle.ts";
import type { SessionPhase } from "./session-run.ts";

export interface SessionStatus {
  readonly workId: string;
  readonly sessionId: string;
  readonly phase: SessionPhase;
  readonly runningSeconds: number;
  /** `undefined` before the first heartbeat. */
  readonly leaseEndsInSeconds: number | undefined;
}

export interface WorkerStatus {
  readonly mode: WorkerMode;
  readonly workerId: string;
  readonly environmentId: string;
  readonly concurrency: number;
  readonly sessions: readonly SessionStatus[];
  /** Sessions by how they ended, since the start. */
  readonly ended: Readonly<Record<SessionOutcome, number>>;
  /** Seconds since the server last answered a poll; `undefined` when it never has. */
  readonly lastPollSecondsAgo: number | undefined;
  /** Why the last poll failed; `undefined` when it did not. */
  readonly pollFailure: string | undefined;
  /** All of it that an operator needs at a glance. */
  readonly line: string;
}

/** Counters of outcomes, all at zero. */
export const noneEnded = (): Record<SessionOutcome, number> => ({
  completed: 0,
  failed: 0,
  stopped: 0,
  released: 0,
  handed_off: 0,
  lost: 0,
  dropped: 0,
});

export function withLine(status: Omit<WorkerStatus, "line">): WorkerStatus {
  const ended = Object.entries(status.ended).filter(([, count]) => count > 0);
  const parts = [
    status.mode,
    `${status.sessions.length}/${status.concurrency} sessions`,
    ...(ended.length === 0 ? ["none ended yet"] : ended.map(([outcome, count]) => `${count} ${outcome}`)),
    status.lastPollSecondsAgo === undefined ? "never polled" : `polled ${Math.round(status.lastPollSecondsAgo)} s ago`,
    ...(status.pollFailure === undefined ? [] : [`poll fails: ${status.pollFailure}`]),
  ];
  return { ...status, line: parts.join(", ") };
}
