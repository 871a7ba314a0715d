import type { CapstanClient } from "../client/client.ts";
import { LIMITS } from "../contract/limits.ts";
import type { SessionEvent } from "../contract/shapes.ts";
import { INPUT_EVENT_TYPES } from "../core/event-types.ts";
import type { NewSessionEvent } from "./handler.ts";

/**
 * Input that is held in memory at most, which is what one call of a sender may carry, and always one event. What is
 * beyond it is fetched when its turn comes.
 */
const HELD = { events: LIMITS.eventsPerCall, bytes: LIMITS.bodyBytes } as const;

const INPUT_TYPES: ReadonlySet<string> = new Set(INPUT_EVENT_TYPES);
export const isInput = (event: SessionEvent): boolean => INPUT_TYPES.has(event.type);

const TURN_END = "span.turn_end";

/**
 * Says that everything up to an event is answered while the item goes on. The server notes that only when the item
 * stops; until then, whoever has to take the item over reads it here.
 */
export const turnEnd = (processedThrough: string): NewSessionEvent => ({
  type: TURN_END,
  processed_through: processedThrough,
});

export interface Unanswered {
  /** Oldest first. */
  readonly events: readonly SessionEvent[];
  /** Up to where former holders of the item have answered, when they said so. */
  readonly answeredThrough: string | undefined;
}

/** What users sent and nobody has dealt with yet, as far as it fits into memory. */
export async function unansweredInput(
  client: CapstanClient,
  sessionId: string,
  signal: AbortSignal,
): Promise<Unanswered> {
  const events = await unprocessedInput(client, sessionId, signal);
  const [first] = events;
  const answeredThrough = first && (await lastTurnEnd(client, sessionId, first.id, signal));
  if (answeredThrough === undefined) return { events, answeredThrough };
  return { events: events.filter(({ id }) => id > answeredThrough), answeredThrough };
}

/**
 * Input is dealt with in order, so reading backwards ends at the first event that has been processed: the cost does not
 * grow with the length of the session.
 */
async function unprocessedInput(client: CapstanClient, sessionId: string, signal: AbortSignal) {
  const oldest = new OldestInput();
  const input = { session_id: sessionId, order: "desc", types: INPUT_EVENT_TYPES, limit: LIMITS.page.max } as const;
  for await (const event of client.paginate("listEvents", input, { signal, maxRetries: 0 })) {
    if (event.processed_at !== null) break;
    oldest.addOlder(event);
  }
  return oldest.events;
}

/** The oldest events, as many as may be held, of more that are added newest first. */
class OldestInput {
  readonly #newestFirst: { readonly event: SessionEvent; readonly bytes: number }[] = [];
  #bytes = 0;

  get events(): readonly SessionEvent[] {
    return this.#newestFirst.map(({ event }) => event).reverse();
  }

  addOlder(event: SessionEvent): void {
    const bytes = Buffer.byteLength(JSON.stringify(event));
    this.#newestFirst.push({ event, bytes });
    this.#bytes += bytes;
    while (this.#newestFirst.length > HELD.events || (this.#bytes > HELD.bytes && this.#newestFirst.length > 1)) {
      this.#bytes -= this.#newestFirst.shift()?.bytes ?? 0;
    }
  }
}

async function lastTurnEnd(client: CapstanClient, sessionId: string, after: string, signal: AbortSignal) {
  const input = { session_id: sessionId, types: [TURN_END], page: after, limit: LIMITS.eventsPage.max } as const;
  let last: string | undefined;
  for await (const event of client.paginate("listEvents", input, { signal, maxRetries: 0 })) {
    if (typeof event.processed_through === "string") last = event.processed_through;
  }
  return last;
}

/** The next input after an event, oldest first, as far as it fits into memory. */
export async function inputAfter(
  client: CapstanClient,
  sessionId: string,
  after: string,
  signal: AbortSignal,
): Promise<readonly SessionEvent[]> {
  const input = { session_id: sessionId, types: INPUT_EVENT_TYPES, after_id: after, limit: HELD.events };
  const { data } = await client.listEvents(input, { signal, maxRetries: 0 });
  const oldest = new OldestInput();
  for (const event of data.toReversed()) oldest.addOlder(event);
  return oldest.events;
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
