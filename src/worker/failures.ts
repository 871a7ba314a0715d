import { type BackoffBounds, backoffMs } from "../client/backoff.ts";
import { ApiError, ConnectionError } from "../client/errors.ts";
import { wait } from "../client/wait.ts";

/**
 * What a failed call means. `passing`: the same call may succeed later. `final`: it never will, and its loop has to give
 * up: the poll loop ends the worker, a lease is lost, an item is dropped.
 */
export type FailureClass = "passing" | "final";

/** Statuses with which the API refuses for good. Every other one, and every lost connection, passes. */
const FINAL_STATUSES: ReadonlySet<number> = new Set([400, 401, 403, 404, 409, 412]);

export function classify(failure: unknown): FailureClass {
  if (failure instanceof ConnectionError) return "passing";
  if (!(failure instanceof ApiError)) return "final";
  // A page of a proxy whose server is just being replaced says nothing about the call, whatever its status is.
  if (failure.type === "http_error") return "passing";
  return FINAL_STATUSES.has(failure.status) ? "final" : "passing";
}

const BACKOFF: BackoffBounds = { baseMs: 200, maxMs: 10_000 };

/** The wait before the next try: jittered, and never shorter than the server asked for, up to the longest backoff. */
export function retryWaitMs(failure: unknown, attempt: number, bounds = BACKOFF): number {
  const asked = failure instanceof ApiError ? (failure.retryAfterSeconds ?? 0) * 1_000 : 0;
  return Math.min(bounds.maxMs, Math.max(asked, backoffMs(attempt, bounds)));
}

/**
 * Makes a call until it succeeds, is refused for good, or the signal is aborted. Failures that pass are survived for as
 * long as that takes.
 *
 * @param onFailure told of every failure that is survived, and how long it is until the next try
 */
export async function persist<T>(
  call: () => Promise<T>,
  signal: AbortSignal,
  onFailure: (failure: unknown, waitMs: number) => void = () => {},
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      signal.throwIfAborted();
      return await call();
    } catch (failure) {
      if (signal.aborted || classify(failure) === "final") throw failure;
      const waitMs = retryWaitMs(failure, attempt);
      onFailure(failure, waitMs);
      await wait(waitMs, signal);
    }
  }
}

/** One sentence for a log line or a session. */
export const describe = (failure: unknown): string => (failure instanceof Error ? failure.message : String(failure));

/**
 * Whether a call on the token of a hand-out says that the hand-out is over. Its token dies with it, and the server no longer
 * knows whose it was: what it says about tokens would send an operator to look at the worker's own, which is well.
 */
export const isHandOutOver = (failure: unknown): boolean =>
  failure instanceof ApiError && failure.status === 401 && classify(failure) === "final";

export const handOutOver = (workId: string): string =>
  `Item ${workId} was stopped or given to somebody else; its hand-out is over.`;

/** The same as `describe` for a call on the token of a hand-out. */
export const describeCall = (failure: unknown, workId: string): string =>
  isHandOutOver(failure) ? handOutOver(workId) : describe(failure);
