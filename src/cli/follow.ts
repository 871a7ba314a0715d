import { setTimeout as sleep } from "node:timers/promises";
import type { CapstanClient, SessionEvent } from "../client/index.ts";
import { LIMITS } from "../contract/limits.ts";

/** Waits between two looks: short while something happens, longer while nothing does. */
const POLL_MS = { shortest: 150, longest: 1_000, growth: 1.5 } as const;

/**
 * The events of a session after the given one, as they come; an empty batch when there was nothing new. Ends when the
 * signal is aborted.
 */
export async function* followEvents(
  client: CapstanClient,
  sessionId: string,
  after: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<readonly SessionEvent[]> {
  let seen = after;
  let waitMs: number = POLL_MS.shortest;
  while (!signal.aborted) {
    const page = await client.listEvents({ session_id: sessionId, after_id: seen, limit: LIMITS.eventsPage.max });
    yield page.data;
    seen = page.last_id ?? seen;
    if (page.has_more) continue;
    waitMs = page.data.length > 0 ? POLL_MS.shortest : Math.min(POLL_MS.longest, waitMs * POLL_MS.growth);
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
  }
}
