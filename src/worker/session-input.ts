import type { CapstanClient } from "../client/client.ts";
import { ApiError } from "../client/errors.ts";
import type { SessionEvent } from "../contract/shapes.ts";
import { persist } from "./failures.ts";
import type { SessionInput } from "./handler.ts";
import { inputAfter, isInput, newestEventId } from "./input-events.ts";

export interface SessionInputParts {
  readonly client: CapstanClient;
  readonly sessionId: string;
  /** The unanswered input, oldest first; never empty. */
  readonly events: readonly SessionEvent[];
  /** How long to wait for more; 0 for not at all. */
  readonly maxIdleMs: number;
  /** Ends the input. */
  readonly signal: AbortSignal;
  /** The handler has taken something: a turn begins. */
  readonly onTaken: () => void;
  /** Everything taken is answered and nothing more is known: the wait begins. */
  readonly onIdle: (answeredThrough: string | undefined) => Promise<void>;
  /** The wait is over, with or without an event. */
  readonly onBusy: () => void;
  /** The server says that the hand-out is over. */
  readonly onLost: (failure: ApiError) => void;
  readonly onFailure: (failure: unknown) => void;
}

/** Statuses that mean: this hand-out may not read its session any more. */
const LOST: ReadonlySet<number> = new Set([401, 403, 404]);

/** What a handler reads its input from: first what is unanswered, then what comes. */
export class InputFeed implements SessionInput {
  readonly #parts: SessionInputParts;
  readonly #waiting: SessionEvent[];
  /** The newest input that was fetched. */
  #known: string;
  #asked = false;
  #taken: string | undefined;
  #answered: string | undefined;
  #closed = false;
  #idle: AbortController | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(parts: SessionInputParts) {
    this.#parts = parts;
    this.#waiting = [...parts.events];
    this.#known = parts.events.at(-1)?.id as string;
  }

  /** Whether the handler wanted any input at all. */
  get asked(): boolean {
    return this.#asked;
  }

  /** The last event that the handler took. */
  get taken(): string | undefined {
    return this.#taken;
  }

  /** The last event that the handler is done with: it asked for the next one after it. */
  get answered(): string | undefined {
    return this.#answered;
  }

  /** No further event is given out; whoever waits for one is told at once. */
  close(): void {
    this.#closed = true;
    this.#idle?.abort();
  }

  takeAll(): readonly SessionEvent[] {
    this.#ask();
    if (this.#isOver) return [];
    const events = this.#waiting.splice(0);
    if (events.length > 0) this.#give(events);
    return events;
  }

  [Symbol.asyncIterator](): AsyncIterator<SessionEvent> {
    return {
      next: () => this.#inTurn(() => this.#next()),
      // A loop that is left may be left for another one, and says nothing about its last event.
      return: async () => ({ done: true, value: undefined }),
    };
  }

  get #isOver(): boolean {
    return this.#closed || this.#parts.signal.aborted;
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(step);
    this.#tail = done.catch(() => {});
    return done;
  }

  async #next(): Promise<IteratorResult<SessionEvent>> {
    this.#ask();
    if (this.#waiting.length === 0 && !this.#isOver && this.#parts.maxIdleMs > 0) await this.#wait();
    const event = this.#isOver ? undefined : this.#waiting.shift();
    if (event === undefined) {
      this.#closed = true;
      return { done: true, value: undefined };
    }
    this.#give([event]);
    return { done: false, value: event };
  }

  /** Whoever asks for more is done with what it has. */
  #ask(): void {
    this.#asked = true;
    this.#answered = this.#taken;
  }

  #give(events: readonly SessionEvent[]): void {
    this.#taken = events.at(-1)?.id;
    this.#parts.onTaken();
  }

  /** Waits for something to be there, for as long as the handler may be idle. */
  async #wait(): Promise<void> {
    const { signal, maxIdleMs, onIdle, onBusy, onLost } = this.#parts;
    const idle = new AbortController();
    const over = () => idle.abort();
    this.#idle = idle;
    const timer = setTimeout(over, maxIdleMs);
    signal.addEventListener("abort", over, { once: true });
    try {
      await onIdle(this.#answered);
      await this.#untilInput(idle.signal);
    } catch (failure) {
      if (idle.signal.aborted) return;
      if (!(failure instanceof ApiError) || !LOST.has(failure.status)) throw failure;
      onLost(failure);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", over);
      this.#idle = undefined;
      onBusy();
    }
  }

  async #untilInput(signal: AbortSignal): Promise<void> {
    const { client, sessionId, onFailure } = this.#parts;
    const reading = <T>(call: () => Promise<T>) => persist(call, signal, onFailure);
    // In this order: what comes between the two is found by the second, and again, or only, by the stream.
    const newest = (await reading(() => newestEventId(client, sessionId, signal))) ?? this.#known;
    this.#add(await reading(() => inputAfter(client, sessionId, this.#known, signal)));
    if (this.#waiting.length > 0) return;
    for await (const event of client.streamEvents({ session_id: sessionId, after_id: newest }, { signal })) {
      if (!isInput(event)) continue;
      this.#add([event]);
      return;
    }
  }

  #add(events: readonly SessionEvent[]): void {
    this.#waiting.push(...events);
    this.#known = events.at(-1)?.id ?? this.#known;
  }
}
