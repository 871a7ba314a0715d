import type { OperationName } from "../contract/operations.ts";
import { OPERATIONS } from "../contract/operations.ts";
import { backoffMs } from "./backoff.ts";
import { ApiError, ConnectionError } from "./errors.ts";

const BACKOFF = { baseMs: 500, maxMs: 8_000 } as const;

/** A server that wants more patience than this gets none: the caller is told instead of being kept waiting. */
const LONGEST_RETRY_AFTER_SECONDS = 60;

/**
 * Calls other than GET that may reach the server twice and still mean the same. Of those with a condition, it depends on
 * the input: a second graceful stop confirms the first one, a second forced one changes nothing.
 */
const REPEATABLE: Partial<Record<OperationName, (input: Readonly<Record<string, unknown>>) => boolean>> = {
  ackWork: () => true,
  heartbeatWork: () => true,
  updateWork: () => true,
  stopWork: (input) => input.force === true,
  updateEnvironment: () => true,
  updateSession: () => true,
  cancelSession: () => true,
};

function isRepeatable(name: OperationName, input: Readonly<Record<string, unknown>>): boolean {
  return OPERATIONS[name].method === "GET" || REPEATABLE[name]?.(input) === true;
}

/**
 * How long to wait before the failed call is made again, or `undefined` when it must not be.
 *
 * @param attempt how many repeats there have been
 */
export function retryDelayMs(
  name: OperationName,
  input: Readonly<Record<string, unknown>>,
  failure: unknown,
  attempt: number,
): number | undefined {
  const jittered = backoffMs(attempt, BACKOFF);
  if (failure instanceof ConnectionError) {
    return failure.maybeDelivered && !isRepeatable(name, input) ? undefined : jittered;
  }
  if (!(failure instanceof ApiError) || failure.shouldRetry === false) return undefined;
  const { status, retryAfterSeconds = 0 } = failure;
  if (status !== 429 && status !== 503 && !(status >= 500 && isRepeatable(name, input))) return undefined;
  return retryAfterSeconds > LONGEST_RETRY_AFTER_SECONDS ? undefined : retryAfterSeconds * 1_000 + jittered;
}
