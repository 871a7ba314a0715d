import pg from "pg";
import { clientConfig } from "./connection.ts";
import type { PostgresLimits } from "./options.ts";

/** How long to wait before the next attempt to connect: doubled each time between these, with a random part. */
const RETRY_MS = { min: 100, max: 5_000 } as const;

export interface ListenerEvents {
  message(payload: string): void;
  /** It listens from now on; what was said before has not been heard. */
  listening(): void;
}

/**
 * The one connection that hears what other servers say. It is asked for a sign of life regularly, because a connection
 * whose other end has vanished looks just like one on which nobody speaks; it connects anew for as long as it takes.
 */
export class Listener {
  readonly #url: string;
  readonly #channel: string;
  readonly #limits: PostgresLimits;
  readonly #events: ListenerEvents;
  /** Resolves when the first attempt to connect has ended, one way or the other. */
  readonly tried: Promise<void>;
  #client: pg.Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retryMs: number = RETRY_MS.min;
  #closed = false;
  #listening = false;

  constructor(url: string, channel: string, limits: PostgresLimits, events: ListenerEvents) {
    this.#url = url;
    this.#channel = channel;
    this.#limits = limits;
    this.#events = events;
    this.tried = this.#connect();
  }

  get isListening(): boolean {
    return this.#listening;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#client?.end();
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      ...clientConfig({ url: this.#url, prepare: false, limits: this.#limits }),
      application_name: "capstan listener",
    });
    this.#client = client;
    client.on("error", () => this.#lost(client));
    client.on("end", () => this.#lost(client));
    client.on("notification", ({ payload }) => {
      if (payload !== undefined) this.#events.message(payload);
    });
    try {
      await client.connect();
      await client.query(`LISTEN ${pg.escapeIdentifier(this.#channel)}`);
    } catch {
      return this.#lost(client);
    }
    if (this.#closed) return void client.end();
    this.#listening = true;
    this.#retryMs = RETRY_MS.min;
    this.#events.listening();
    this.#scheduleSignOfLife(client);
  }

  #scheduleSignOfLife(client: pg.Client): void {
    this.#timer = setTimeout(async () => {
      try {
        await client.query("SELECT 1");
        if (this.#client === client && !this.#closed) this.#scheduleSignOfLife(client);
      } catch {
        this.#lost(client);
      }
    }, this.#limits.listenerCheckMs);
    this.#timer.unref();
  }

  /** Called for each way in which a connection says that it is over; only the first one counts. */
  #lost(client: pg.Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#listening = false;
    clearTimeout(this.#timer);
    client.end().catch(() => undefined);
    if (this.#closed) return;
    const delayMs = this.#retryMs * (0.5 + Math.random() / 2);
    this.#retryMs = Math.min(RETRY_MS.max, this.#retryMs * 2);
    this.#timer = setTimeout(() => this.#connect(), delayMs);
    this.#timer.unref();
  }
}
