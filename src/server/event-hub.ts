import type { ServerResponse } from "node:http";
import { presentEvent } from "../contract/present.ts";
import type { EventRecord } from "../core/records.ts";
import type { CommitSignals, Store } from "../storage/store.ts";
import type { Principal } from "./tokens.ts";

export interface Subscription {
  readonly sessionId: string;
  /** Only what comes after this event; `null` for everything. */
  readonly from: string | null;
  readonly principal: Principal;
  readonly response: ServerResponse;
  readonly requestId: string;
}

export interface HubLimits {
  readonly maxStreams: number;
  readonly maxStreamBufferBytes: number;
}

interface Subscriber extends Subscription {
  /** The last event that was written to it. */
  position: string;
}

/** The subscribers of one session that have caught up: each new event is read and written out once for all of them. */
interface Feed {
  /** The last event that was read for them. */
  position: string;
  readonly live: Set<Subscriber>;
  reading: boolean;
  /** Something was committed since the read under way began. */
  dirty: boolean;
  /** Counts commits, so that a subscriber which catches up notices one that came while it read. */
  commits: number;
  readAt: number;
}

/** Events read at once. */
const PAGE = 200;
/** A busy session is read at most this often: what came in between shares one read and one write per subscriber. */
const PACE_MS = 10;
/** Proxies close silent connections; the contract asks for a comment this often. */
const KEEP_ALIVE_MS = 15_000;
/** How long a reader that catches up may take nothing before its connection is closed. */
const STALL_MS = 30_000;
/** How soon a client should come back after we closed the stream. */
const RETRY_MS = 1_000;
const BEGINNING = "";

/**
 * Event streams. A subscriber first catches up from the store at its own speed and then joins the session's live feed;
 * it joins only when it has seen everything that the feed has, so that nothing is left out and nothing comes twice.
 * Signals are hints: positions alone decide what a subscriber still needs.
 */
export class EventHub {
  readonly #store: Store;
  readonly #limits: HubLimits;
  readonly #stillAllowed: (principal: Principal) => Promise<boolean>;
  readonly #feeds = new Map<string, Feed>();
  readonly #subscribers = new Set<Subscriber>();
  readonly #unsubscribe: () => void;
  readonly #keepAlive: NodeJS.Timeout;

  constructor(store: Store, limits: HubLimits, stillAllowed: (principal: Principal) => Promise<boolean>) {
    this.#store = store;
    this.#limits = limits;
    this.#stillAllowed = stillAllowed;
    this.#unsubscribe = store.onCommit((signals) => this.#committed(signals));
    this.#keepAlive = setInterval(() => this.#tick(), KEEP_ALIVE_MS);
    this.#keepAlive.unref();
  }

  get open(): number {
    return this.#subscribers.size;
  }

  get full(): boolean {
    return this.#subscribers.size >= this.#limits.maxStreams;
  }

  subscribe(subscription: Subscription): void {
    const { response, requestId } = subscription;
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "x-request-id": requestId,
    });
    response.write(`retry: ${RETRY_MS}\n\n`);
    const subscriber: Subscriber = { ...subscription, position: subscription.from ?? BEGINNING };
    this.#subscribers.add(subscriber);
    response.once("close", () => this.#leave(subscriber));
    this.#catchUp(subscriber).catch(() => this.#end(subscriber));
  }

  /** Ends every stream; clients come back to whichever server is there then. */
  close(): void {
    this.#unsubscribe();
    clearInterval(this.#keepAlive);
    for (const subscriber of this.#subscribers) this.#end(subscriber);
  }

  async #catchUp(subscriber: Subscriber): Promise<void> {
    for (;;) {
      const feed = this.#feed(subscriber.sessionId);
      const seen = feed.commits;
      const page = await this.#page(subscriber.sessionId, subscriber.position);
      if (!this.#subscribers.has(subscriber)) return;
      const last = page.data.at(-1);
      if (last !== undefined) {
        subscriber.position = last.id;
        subscriber.response.write(framesOf(page.data));
      }
      if (!page.hasMore && this.#join(subscriber, feed, seen)) return;
      if (subscriber.response.writableNeedDrain && !(await drained(subscriber.response))) {
        subscriber.response.destroy();
        return;
      }
      // Nothing new although the feed is ahead: its events were deleted meanwhile. Do not spin until that shows.
      if (last === undefined) await new Promise((resolve) => setTimeout(resolve, PACE_MS));
    }
  }

  /** Makes a subscriber live, if it has seen all that the feed has and nothing was committed since it began to look. */
  #join(subscriber: Subscriber, feed: Feed, seen: number): boolean {
    if (feed.commits !== seen || this.#feeds.get(subscriber.sessionId) !== feed) return false;
    if (feed.live.size === 0) feed.position = subscriber.position;
    if (subscriber.position < feed.position) return false;
    feed.live.add(subscriber);
    return true;
  }

  #feed(sessionId: string): Feed {
    let feed = this.#feeds.get(sessionId);
    if (feed === undefined) {
      feed = { position: BEGINNING, live: new Set(), reading: false, dirty: false, commits: 0, readAt: 0 };
      this.#feeds.set(sessionId, feed);
    }
    return feed;
  }

  #page(sessionId: string, after: string) {
    const request = { limit: PAGE, order: "ascending", after: after === BEGINNING ? undefined : after } as const;
    return this.#store.listEvents(sessionId, request, {});
  }

  #committed({ sessions }: CommitSignals): void {
    if (this.#feeds.size === 0) return;
    for (const sessionId of sessions) {
      const feed = this.#feeds.get(sessionId);
      if (feed === undefined) continue;
      feed.commits += 1;
      if (feed.live.size === 0) continue;
      feed.dirty = true;
      if (!feed.reading) this.#schedule(sessionId, feed);
    }
  }

  #schedule(sessionId: string, feed: Feed): void {
    feed.reading = true;
    const waitMs = feed.readAt + PACE_MS - performance.now();
    if (waitMs > 0) setTimeout(() => this.#read(sessionId, feed), waitMs);
    else setImmediate(() => this.#read(sessionId, feed));
  }

  async #read(sessionId: string, feed: Feed): Promise<void> {
    feed.readAt = performance.now();
    try {
      do {
        feed.dirty = false;
        const page = await this.#page(sessionId, feed.position);
        this.#broadcast(feed, page.data);
        if (page.hasMore) feed.dirty = true;
      } while (feed.dirty && performance.now() - feed.readAt < PACE_MS);
    } catch {
      // The store is away: end the streams, so that their readers resume where they are, here or elsewhere.
      for (const subscriber of feed.live) this.#end(subscriber);
    }
    feed.reading = false;
    if (feed.dirty && feed.live.size > 0) this.#schedule(sessionId, feed);
  }

  #broadcast(feed: Feed, events: readonly EventRecord[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    const before = feed.position;
    feed.position = last.id;
    const frames = framesOf(events);
    for (const subscriber of feed.live) {
      if (subscriber.response.writableLength > this.#limits.maxStreamBufferBytes) {
        subscriber.response.destroy();
        continue;
      }
      if (subscriber.position === before) subscriber.response.write(frames);
      else subscriber.response.write(framesOf(events.filter((event) => event.id > subscriber.position)));
      if (subscriber.position < last.id) subscriber.position = last.id;
    }
  }

  #tick(): void {
    for (const subscriber of this.#subscribers) {
      if (!subscriber.response.writableNeedDrain) subscriber.response.write(": keep-alive\n\n");
      this.#recheck(subscriber).catch(() => this.#end(subscriber));
    }
  }

  /** A revoked token, a hand-out that is over and a deleted session end their streams within one keep-alive. */
  async #recheck(subscriber: Subscriber): Promise<void> {
    const [allowed, session] = await Promise.all([
      this.#stillAllowed(subscriber.principal),
      this.#store.getSession(subscriber.sessionId),
    ]);
    if (!allowed || session === undefined) this.#end(subscriber);
  }

  #end(subscriber: Subscriber): void {
    this.#leave(subscriber);
    subscriber.response.end();
  }

  #leave(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    const feed = this.#feeds.get(subscriber.sessionId);
    if (feed === undefined) return;
    feed.live.delete(subscriber);
    if (feed.live.size === 0) this.#feeds.delete(subscriber.sessionId);
  }
}

function framesOf(events: readonly EventRecord[]): string {
  let frames = "";
  for (const event of events) {
    frames += `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(presentEvent(event))}\n\n`;
  }
  return frames;
}

/** Resolves to whether the reader took what was written before the stall limit. */
function drained(response: ServerResponse): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (result: boolean) => () => {
      clearTimeout(timer);
      response.off("drain", onDrain).off("close", onClose);
      resolve(result);
    };
    const onDrain = settle(true);
    const onClose = settle(false);
    const timer = setTimeout(onClose, STALL_MS);
    response.once("drain", onDrain).once("close", onClose);
  });
}
