import { isDeepStrictEqual } from "node:util";
import type { CapstanClient } from "../client/client.ts";
import { ConnectionError } from "../client/errors.ts";
import { LIMITS } from "../contract/limits.ts";
import type { SessionEvent } from "../contract/shapes.ts";
import { persist } from "./failures.ts";
import type { NewSessionEvent } from "./handler.ts";

export interface EventSenderParts {
  readonly client: CapstanClient;
  readonly sessionId: string;
  /** The session's newest event before this turn wrote any. */
  readonly after: string | undefined;
  /** Ends the sending of what is under way, and of all for which no other signal is given. */
  readonly signal: AbortSignal;
}

/**
 * Writes the events of one turn, one call after the other.
 *
 * Sending is no call that can simply be repeated: the events would be there twice. So after a failure that leaves open
 * whether the server took the events, it is asked what it has. Only this turn writes events of a worker's types now, and
 * a call is taken as a whole or not at all, so the first event after the last known one tells.
 */
export class EventSender {
  readonly #parts: EventSenderParts;
  #lastId: string | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(parts: EventSenderParts) {
    this.#parts = parts;
    this.#lastId = parts.after;
  }

  send(events: readonly NewSessionEvent[], signal = this.#parts.signal): Promise<readonly SessionEvent[]> {
    const sent = this.#tail.then(() => this.#sendAll(events, signal));
    this.#tail = sent.catch(() => {});
    return sent;
  }

  /** Resolves when no call is under way any more. */
  async settled(): Promise<void> {
    await this.#tail;
  }

  async #sendAll(events: readonly NewSessionEvent[], signal: AbortSignal): Promise<SessionEvent[]> {
    const accepted: SessionEvent[] = [];
    for (let at = 0; at < events.length; at += LIMITS.eventsPerCall) {
      accepted.push(...(await this.#sendBatch(events.slice(at, at + LIMITS.eventsPerCall), signal)));
    }
    return accepted;
  }

  async #sendBatch(events: readonly NewSessionEvent[], signal: AbortSignal): Promise<readonly SessionEvent[]> {
    const { client, sessionId } = this.#parts;
    let doubtful = false;
    const accepted = await persist(
      async () => {
        const landed = doubtful ? await this.#landed(events, signal) : undefined;
        if (landed !== undefined) return landed;
        const answer = await client.sendEvents(
          { session_id: sessionId, events: [...events] },
          { signal, maxRetries: 0 },
        );
        return answer.data;
      },
      signal,
      (failure) => {
        doubtful ||= !(failure instanceof ConnectionError) || failure.maybeDelivered;
      },
    );
    this.#lastId = accepted.at(-1)?.id ?? this.#lastId;
    return accepted;
  }

  /** The events as the server holds them, when an earlier try of the same call was taken. */
  async #landed(events: readonly NewSessionEvent[], signal: AbortSignal): Promise<readonly SessionEvent[] | undefined> {
    const { client, sessionId } = this.#parts;
    const types = new Set(events.map((event) => event.type));
    const input = {
      session_id: sessionId,
      limit: events.length,
      ...(types.size > LIMITS.page.max ? {} : { types: [...types] }),
      ...(this.#lastId === undefined ? {} : { page: this.#lastId }),
    };
    const landed: SessionEvent[] = [];
    // Page after page: a page of large events holds fewer than were asked for, and those after it are of this call, too.
    for await (const stored of client.paginate("listEvents", input, { signal, maxRetries: 0 })) {
      if (!types.has(stored.type)) continue;
      if (landed.length === 0 && !isSame(stored, events[0])) return undefined;
      landed.push(stored);
      if (landed.length === events.length) break;
    }
    return landed.length > 0 ? landed : undefined;
  }
}

/** Whether the server's event is the one that was sent: it sets three keys of its own, and keeps all others. */
function isSame(stored: SessionEvent, sent: NewSessionEvent | undefined): boolean {
  return sent !== undefined && isDeepStrictEqual(ownKeys(stored), ownKeys(JSON.parse(JSON.stringify(sent))));
}

function ownKeys({ id: _id, created_at: _createdAt, processed_at: _processedAt, ...own }: Record<string, unknown>) {
  return own;
}
