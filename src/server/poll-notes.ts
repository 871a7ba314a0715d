import type { Store } from "../storage/store.ts";

/** A worker that has not polled for this long does not count as polling. */
export const POLLING_WITHIN_MS = 30_000;
/** Well before the last note is too old, and seldom: it is one timer for each poll that waits so long. */
const RENEW_MS = 20_000;

/**
 * Notes that a worker polls, and does so again while its poll waits: one poll may wait for longer than a note counts.
 *
 * @param workerId `null` for a caller without a name, who is not counted
 * @returns ends it
 */
export function notePolling(
  store: Pick<Store, "notePoll">,
  environmentId: string,
  workerId: string | null,
  waitMs: number,
): () => void {
  if (workerId === null) return done;
  store.notePoll(environmentId, workerId);
  if (waitMs < POLLING_WITHIN_MS) return done;
  const timer = setInterval(() => store.notePoll(environmentId, workerId), RENEW_MS);
  return () => clearInterval(timer);
}

function done(): void {}
