import { randomUUID } from "node:crypto";
import { type CommitSignals, NO_SIGNALS } from "../store.ts";
import { Listener } from "./listener.ts";
import type { Query } from "./lists.ts";
import type { PostgresLimits } from "./options.ts";
import { Outbox, readPayload } from "./wire.ts";

export interface HintsOptions {
  /** Where to listen; `undefined` for nowhere. */
  readonly listenUrl: string | undefined;
  readonly schema: string;
  readonly limits: PostgresLimits;
  /** For sending. */
  readonly query: Query;
}

/**
 * What servers tell each other about their commits, so that waiters need not ask: hints only. They are sent after the
 * commit and outside of its transaction, because a NOTIFY inside makes commits queue behind each other. One can get lost
 * (its sender may die in between, a connection may break), so everybody looks again once in a while, and after each
 * break at once.
 */
export class Hints {
  readonly #id = randomUUID();
  readonly #options: HintsOptions;
  readonly #emit: (signals: CommitSignals) => void;
  readonly #listener: Listener | undefined;
  readonly #outbox = new Outbox();
  #sending = false;
  #closed = false;
  #safetyTimer: NodeJS.Timeout | undefined;

  constructor(options: HintsOptions, emit: (signals: CommitSignals) => void) {
    this.#options = options;
    this.#emit = emit;
    const { listenUrl, limits } = options;
    if (listenUrl !== undefined) {
      this.#listener = new Listener(listenUrl, channelOf(options.schema), limits, {
        message: (payload) => this.#received(payload),
        listening: () => this.#emit({ ...NO_SIGNALS, resync: "lost" }),
      });
    }
    this.#scheduleSafetyPoll();
  }

  /** Tells the others. Returns at once. */
  send(signals: CommitSignals): void {
    this.#outbox.add(signals);
    if (!this.#sending && !this.#outbox.isEmpty) this.#flush();
  }

  /** Resolves once the others are heard, or cannot be for now. */
  async start(): Promise<void> {
    await this.#listener?.tried;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#safetyTimer);
    await this.#listener?.close();
  }

  async #flush(): Promise<void> {
    this.#sending = true;
    try {
      while (!this.#outbox.isEmpty && !this.#closed) {
        await this.#options.query("SELECT pg_notify($1, $2)", [
          channelOf(this.#options.schema),
          this.#outbox.take(this.#id),
        ]);
      }
    } catch {
      // The others find out by their safety poll.
    } finally {
      this.#sending = false;
    }
  }

  #received(payload: string): void {
    const signals = readPayload(payload, this.#id);
    if (signals !== undefined) this.#emit(signals);
  }

  #scheduleSafetyPoll(): void {
    const { safetyPollMs, safetyPollDeafMs } = this.#options.limits;
    const listening = this.#listener?.isListening === true;
    this.#safetyTimer = setTimeout(
      () => {
        this.#emit({ ...NO_SIGNALS, resync: listening ? "routine" : "lost" });
        this.#scheduleSafetyPoll();
      },
      listening ? safetyPollMs : safetyPollDeafMs,
    );
    this.#safetyTimer.unref();
  }
}

/** One channel for each schema, as PostgreSQL's identifiers may be no longer than 63 bytes. */
const channelOf = (schema: string): string => `capstan_${schema}`.slice(0, 63);
