import type { CapstanClient } from "../client/client.ts";
import { LIMITS } from "../contract/limits.ts";
import type { SessionEvent } from "../contract/shapes.ts";
import { USER_EVENT_TYPES } from "../core/event-types.ts";

/** Input of one turn at most; what is beyond it stays unanswered, so that the session comes back with it. */
export const MAX_INPUT_EVENTS = LIMITS.eventsPerCall;

/**
 * What users sent and nobody has dealt with yet, oldest first. Input is dealt with in order, so reading backwards ends at
 * the first event that has been processed: the cost does not grow with the length of the session.
 */
export async function unansweredInput(
  client: CapstanClient,
  sessionId: string,
  signal: AbortSignal,
): Promise<readonly SessionEvent[]> {
  const newestFirst: SessionEvent[] = [];
  const input = { session_id: sessionId, order: "desc", types: USER_EVENT_TYPES, limit: LIMITS.page.max } as const;
  for await (const event of client.paginate("listEvents", input, { signal, maxRetries: 0 })) {
    if (event.processed_at !== null) break;
    newestFirst.push(event);
  }
  return newestFirst.reverse().slice(0, MAX_INPUT_EVENTS);
}

/** The session's newest event of any kind. */
export async function newestEventId(
  client: CapstanClient,
  sessionId: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const page = await client.listEvents({ session_id: sessionId, order: "desc", limit: 1 }, { signal, maxRetries: 0 });
  return page.data[0]?.id;
}
