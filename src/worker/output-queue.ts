import { ApiError } from "../client/errors.ts";
import type { NewSessionEvent } from "./handler.ts";
import { sendable, unusableLine } from "./output-events.ts";

/** One call to the server carries at most this much. */
const BATCH = { events: 500, bytes: 1024 * 1024 } as const;
/** What may wait in memory; whoever pushes more waits, and with it the pipe of the command. */
const QUEUE = { events: 2_000, bytes: 4 * 1024 * 1024 } as const;

interface Queued {
  readonly line: string;
  readonly event: NewSessionEvent;
}

type Send = (events: readonly NewSessionEvent[]) => Promise<unknown>;

/**
 * Events on their way to the server. Those that arrive while a call is under way share the next one: no timer, and no
 * delay when there is little to send.
 */
export class OutputQueue {
  readonly #send: Send;
  #waiting: Queued[] = [];
  #bytes = 0;
  #pumping: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #room: (() => void) | undefined;

  constructor(send: Send) {
    this.#send = send;
  }

  /**
   * Queues an event that a line of output stands for; resolves when there is room for the next one. For one caller at a
   * time. Rejects once sending has failed for good.
   */
  async push(event: NewSessionEvent, line: string): Promise<void> {
    this.#throwFailure();
    for (const each of sendable(event, line)) {
      this.#waiting.push({ event: each, line });
      this.#bytes += line.length;
    }
    this.#pumping ??= this.#pump();
    while (this.#waiting.length >= QUEUE.events || this.#bytes >= QUEUE.bytes) {
      await new Promise<void>((resolve) => {
        this.#room = resolve;
      });
      this.#throwFailure();
    }
  }

  /** Resolves when everything was sent, rejects when something could not be. */
  async flush(): Promise<void> {
    await this.#pumping;
    this.#throwFailure();
  }

  async #pump(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#sendBatch(this.#takeBatch());
        this.#room?.();
      }
    } catch (error) {
      this.#failure = { error };
      this.#waiting = [];
      this.#room?.();
    } finally {
      this.#pumping = undefined;
    }
  }

  #takeBatch(): readonly Queued[] {
    let bytes = 0;
    let count = 0;
    for (const { line } of this.#waiting) {
      if (count > 0 && (count >= BATCH.events || bytes + line.length > BATCH.bytes)) break;
      bytes += line.length;
      count += 1;
    }
    this.#bytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #sendBatch(batch: readonly Queued[]): Promise<void> {
    try {
      await this.#send(batch.map(({ event }) => event));
    } catch (failure) {
      if (!(failure instanceof ApiError) || failure.status !== 400) throw failure;
      // One event that the server refuses must not take its neighbours with it.
      for (const queued of batch) await this.#sendAlone(queued, batch.length > 1 ? undefined : failure);
    }
  }

  /** @param refused the refusal of just this event, when it is known already */
  async #sendAlone({ event, line }: Queued, refused: ApiError | undefined): Promise<void> {
    try {
      if (refused !== undefined) throw refused;
      await this.#send([event]);
    } catch (failure) {
      if (!(failure instanceof ApiError) || failure.status !== 400) throw failure;
      await this.#send(unusableLine(line, failure.message.replace(/\.$/, "")));
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
