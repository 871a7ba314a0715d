import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Value } from "../rows/index.ts";
import { type CommitSignals, NO_SIGNALS } from "../store.ts";
import { Listener } from "./listener.ts";
import type { PostgresLimits } from "./options.ts";
import { Pace } from "./pace.ts";
import { type Sql, sql, untilItsEnd } from "./sql.ts";
import { Outbox, readMessage } from "./wire.ts";

export interface HintsListeners {
  /** What others have committed, or that nobody knows what they have. */
  emit(signals: CommitSignals): void;
  /** The key of the first item that each queue got. Told before `emit`. */
  arrived(first: ReadonlyMap<string, string>): void;
  /** Nobody knows what the queues got. */
  unsure(): void;
}

export interface HintsOptions {
  /** Where to listen; `undefined` for nowhere. */
  readonly listenUrl: string | undefined;
  readonly schema: string;
  readonly limits: PostgresLimits;
  /** For sending. */
  run(statement: Sql, values: readonly Value[]): Promise<void>;
}

/** How often a server says that it is there, and after how much silence it is taken for gone. */
const HELLO_MS = 5_000;
const GONE_MS = 16_000;

/** A transaction that notifies writes to the log; that nobody waits for it costs at most a hint. */
const NOTIFY = sql("notify", `SELECT ${untilItsEnd("synchronous_commit", "off")}, pg_notify($1, $2)`);

/**
 * What servers tell each other about their commits, so that waiters need not ask: hints only. They are sent after the
 * commit and outside of its transaction, because a NOTIFY inside makes commits queue behind each other; and only while
 * another server is there to hear them. One can get lost (its sender may die in between, a connection may break), so
 * everybody looks again once in a while, and after each break at once.
 */
export class Hints {
  readonly #id = randomUUID();
  readonly #options: HintsOptions;
  readonly #channel: string;
  readonly #listeners: HintsListeners;
  readonly #listener: Listener | undefined;
  readonly #outbox = new Outbox();
  readonly #pace: Pace;
  /** Ends with the last of what there is to send. */
  #sending: Promise<void> | undefined;
  readonly #closing = new AbortController();
  /**
   * When another server was last heard, by the process's steady clock. A server that has just begun counts as having heard
   * one: those that are there may not have answered yet, and must not miss what it commits meanwhile.
   */
  #heardAt = performance.now();
  #safetyTimer: NodeJS.Timeout | undefined;
  #helloTimer: NodeJS.Timeout | undefined;

  constructor(options: HintsOptions, listeners: HintsListeners) {
    this.#options = options;
    this.#listeners = listeners;
    this.#channel = channelOf(options.schema);
    const { listenUrl, limits } = options;
    this.#pace = new Pace(limits.hintIntervalMs, limits.hintBurst);
    if (listenUrl !== undefined) {
      this.#listener = new Listener(listenUrl, this.#channel, limits, {
        message: (payload) => this.#received(payload),
        listening: () => this.#resync("lost"),
      });
      this.#helloTimer = setInterval(() => this.#notify(this.#outbox.hello(this.#id)), HELLO_MS);
      this.#helloTimer.unref();
    }
  }

  /** Resolves once the others are heard, or cannot be for now. */
  async start(): Promise<void> {
    if (this.#listener !== undefined) {
      await this.#listener.tried;
      await this.#notify(this.#outbox.hello(this.#id));
    }
    this.#scheduleSafetyPoll();
  }

  /** Tells the others. Returns at once. */
  send(signals: CommitSignals, first: ReadonlyMap<string, string>): void {
    if (this.#isAlone) return;
    this.#outbox.add(signals, first);
    if (this.#sending === undefined && !this.#outbox.isEmpty) this.#sending = this.#sendAll();
  }

  /** Sends what still waits, and ends. */
  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#safetyTimer);
    clearInterval(this.#helloTimer);
    await this.#sending;
    await this.#listener?.close();
  }

  /** Known only while it listens itself. */
  get #isAlone(): boolean {
    return this.#listener?.isListening === true && performance.now() - this.#heardAt > GONE_MS;
  }

  async #sendAll(): Promise<void> {
    while (!this.#outbox.isEmpty) {
      await this.#turn();
      await this.#notify(this.#outbox.take(this.#id));
    }
    this.#sending = undefined;
  }

  /** Waits for it, unless the server stops. Commits that come in the meantime share the message. */
  async #turn(): Promise<void> {
    const waitMs = this.#pace.next(performance.now());
    if (waitMs === 0) return;
    await delay(waitMs, undefined, { ref: false, signal: this.#closing.signal }).catch(() => undefined);
  }

  async #notify(payload: string): Promise<void> {
    try {
      await this.#options.run(NOTIFY, [this.#channel, payload]);
    } catch {
      // The others find out by their safety poll.
    }
  }

  #received(payload: string): void {
    const message = readMessage(payload);
    if (message === undefined || message.from === this.#id) return;
    // A server that has just come has to hear of us as well, before it counts itself alone.
    if (this.#isAlone) this.#notify(this.#outbox.hello(this.#id));
    this.#heardAt = performance.now();
    const { said } = message;
    if (said === "unclear") {
      this.#resync("lost");
    } else {
      this.#listeners.arrived(said.first);
      this.#listeners.emit(said.signals);
    }
  }

  #resync(resync: "lost" | "routine"): void {
    this.#listeners.unsure();
    this.#listeners.emit({ ...NO_SIGNALS, resync });
  }

  #scheduleSafetyPoll(): void {
    if (this.#closing.signal.aborted) return;
    const { safetyPollMs, safetyPollDeafMs } = this.#options.limits;
    const listening = this.#listener?.isListening === true;
    this.#safetyTimer = setTimeout(
      () => {
        this.#resync(listening ? "routine" : "lost");
        this.#scheduleSafetyPoll();
      },
      listening ? safetyPollMs : safetyPollDeafMs,
    );
    this.#safetyTimer.unref();
  }
}

/** One channel for each schema, as PostgreSQL's identifiers may be no longer than 63 bytes. */
const channelOf = (schema: string): string => `capstan_${schema}`.slice(0, 63);
