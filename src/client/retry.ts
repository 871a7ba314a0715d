import { isRepeatable, OPERATIONS, type OperationName } from "../contract/operations.ts";
import { backoffMs } from "./backoff.ts";
import { ApiError, ConnectionError } from "./errors.ts";

const BACKOFF = { baseMs: 500, maxMs: 8_000 } as const;

/** A server that wants more patience than this gets none: the caller is told instead of being kept waiting. */
const LONGEST_RETRY_AFTER_SECONDS = 60;

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
    return failure.maybeDelivered && !isRepeatable(OPERATIONS[name], input) ? undefined : jittered;
  }
  if (!(failure instanceof ApiError) || failure.shouldRetry === false) return undefined;
  const { status, retryAfterSeconds = 0 } = failure;
  if (status !== 429 && status !== 503 && !(status >= 500 && isRepeatable(OPERATIONS[name], input))) return undefined;
  return retryAfterSeconds > LONGEST_RETRY_AFTER_SECONDS ? undefined : retryAfterSeconds * 1_000 + jittered;
}
