export interface BackoffBounds {
  /** Upper bound of the first wait. */
  readonly baseMs: number;
  /** Upper bound of every wait. */
  readonly maxMs: number;
}

/**
 * How long to wait before try `attempt` (from 0): anything between nothing and a bound that doubles. Full jitter, so that
 * many callers that failed together do not come back together.
 */
export function backoffMs(attempt: number, bounds: BackoffBounds, random: () => number = Math.random): number {
  return random() * Math.min(bounds.maxMs, bounds.baseMs * 2 ** Math.min(attempt, 30));
}
