import type { ServerResponse } from "node:http";
import type { EventRecord } from "../core/records.ts";
import { type CommitSignals, type Store, StoreUnavailable } from "../storage/store.ts";
import { BEGINNING, type Feed, newFeed } from "./event-feed.ts";
import { fittingFrames, framesOf } from "./event-frames.ts";
import { EventReader } from "./event-reader.ts";
import { noLongerAllowed, ofHandOuts } from "./event-trust.ts";
import type { Logger } from "./log.ts";
import type { ServerLimits } from "./options.ts";
import type { Principal } from "./tokens.ts";
import { Turns } from "./turns.ts";

export interface Subscription {
  readonly sessionId: string;
  /** Only what comes after this event; `null` for everything. */
  readonly from: string | null;
  readonly principal: Principal;
  readonly response: ServerResponse;
  readonly requestId: string;
}

export interface HubParts {
  readonly store: Store;
  readonly limits: Pick<ServerLimits, "maxStreams" | "maxStreamBufferBytes" | "streamKeepAliveMs" | "streamStallMs">;
  readonly stillAllowed: (principal: Principal) => Promise<boolean>;
  readonly log: Logger;
}

/** Events read at once. */
const PAGE = 200;
/** A busy session is read at most this often: what came in between shares one read and one write per reader. */
const PACE_MS = 20;
/** For how long it is believed that a caller may still have a stream that events flow on. */
const TRUST_MS = 1_000;
/** Looks for due comments and checks per keep-alive, so that those of all streams are spread over time. */
const TICKS_PER_KEEP_ALIVE = 30;
/** Streams that a stop ends are told to come back at a time of their own between these. */
const RETURN_MS = { soonest: 500, latest: 2_500 };

/**
 * Event streams. A reader first catches up from the store at its own speed and then joins the session's live feed; it
 * joins only when it has seen everything that the feed has, so that nothing is left out and nothing comes twice.
 * Signals are hints: positions alone decide what a reader still needs, and a lost signal costs time, never an event.
 */
export class EventHub {
  readonly #parts: HubParts;
  readonly #feeds = new Map<string, Feed>();
  readonly #turns = new Turns();
  readonly #unsubscribe: () => void;
  readonly #ticker: NodeJS.Timeout;
  #open = 0;
  #closed = false;

  constructor(parts: HubParts) {
    this.#parts = parts;
    this.#unsubscribe = parts.store.onCommit((signals) => this.#committed(signals));
    const tickMs = Math.max(1, parts.limits.streamKeepAliveMs / TICKS_PER_KEEP_ALIVE);
    this.#ticker = setInterval(() => this.#tick(), tickMs).unref();
  }

  /** Streams that are open now. */
  get open(): number {
    return this.#open;
  }

  get full(): boolean {
    return this.#open >= this.#parts.limits.maxStreams;
  }

  subscribe({ response, requestId, from, ...who }: Subscription): void {
    // It hung up while its request was looked at; its `close` has been and will not come again.
    if (response.destroyed) return;
    const position = from ?? BEGINNING;
    const { streamKeepAliveMs: keepAliveMs, streamStallMs: stallMs } = this.#parts.limits;
    const reader = new EventReader(response, requestId, { ...who, position, keepAliveMs, stallMs });
    if (this.#closed) {
      reader.end(returnMs());
      return;
    }
    const feed = this.#feed(who.sessionId);
    feed.readers.add(reader);
    this.#open += 1;
    response.once("close", () => this.#leave(feed, reader));
    this.#follow(feed, reader);
  }

  /**
   * Ends every stream; clients come back to whichever server is there then. Those that are behind are cut off: they get
   * the rest from there as well.
   */
  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    clearInterval(this.#ticker);
    for (const feed of this.#feeds.values()) {
      for (const reader of feed.readers) {
        this.#end(feed, reader, returnMs());
        if (reader.queuedBytes > 0) reader.destroy();
      }
    }
  }

  #feed(sessionId: string): Feed {
    const known = this.#feeds.get(sessionId);
    if (known !== undefined) return known;
    const feed = newFeed(sessionId);
    this.#feeds.set(sessionId, feed);
    return feed;
  }

  /** Brings a reader to the end of the session and makes it live. */
  async #follow(feed: Feed, reader: EventReader, first?: { frames: Buffer; lastEventId: string }): Promise<void> {
    try {
      if (first !== undefined && !(await reader.take(first.frames, first.lastEventId))) return;
      while (reader.open) {
        await this.#turns.next();
        const { signals } = feed;
        const step = await this.#nextStep(feed, reader);
        if (step === undefined) return this.#end(feed, reader);
        if (step.frames !== undefined && !(await reader.take(step.frames, step.lastEventId))) return;
        if (step.end !== undefined && reader.open && this.#join(feed, reader, step.end, signals)) {
          // From here on it is told when its hand-out ends; that may have happened since it was let in.
          return await this.#dismiss(feed, ofHandOuts([reader]), 0);
        }
      }
    } catch (error) {
      this.#failedFor(feed, [reader], error);
    }
  }

  /**
   * What a reader is given next, and when nothing comes after that, the end of the session up to which it then has seen
   * everything. `undefined` when the session is gone.
   */
  async #nextStep(feed: Feed, reader: EventReader) {
    const { store, limits } = this.#parts;
    // Before the page, so that the page holds at least everything up to this end.
    const session = await store.getSession(feed.sessionId);
    if (session === undefined) return undefined;
    const limit = Math.min(PAGE, reader.pageEvents);
    const page = await this.#page(feed.sessionId, reader.position, limit);
    const { frames, last, count } = fittingFrames(page.data, limits.maxStreamBufferBytes);
    const whole = count === page.data.length;
    reader.pageEvents = whole ? limit * 2 : Math.max(1, count);
    const sessionEnd = session.lastEventId ?? BEGINNING;
    const seen = last?.id ?? (reader.position < sessionEnd ? reader.position : sessionEnd);
    const end = whole && !page.hasMore ? seen : undefined;
    return last === undefined ? { end } : { end, frames, lastEventId: last.id };
  }

  /** @param end the reader has seen everything up to here, which is no further than the session goes */
  #join(feed: Feed, reader: EventReader, end: string, signals: number): boolean {
    if (end < feed.position) return false;
    if (feed.live.size === 0) feed.position = end;
    feed.live.add(reader);
    if (feed.signals !== signals) this.#markDirty(feed);
    return true;
  }

  #page(sessionId: string, after: string, limit: number) {
    const request = { limit, order: "ascending", after: after === BEGINNING ? undefined : after } as const;
    return this.#parts.store.listEvents(sessionId, request, {});
  }

  #committed({ sessions, resync }: CommitSignals): void {
    if (this.#feeds.size === 0) return;
    // The routine one is left out: every feed is checked by itself once per keep-alive.
    for (const sessionId of resync === "lost" ? this.#feeds.keys() : sessions) {
      const feed = this.#feeds.get(sessionId);
      if (feed === undefined) continue;
      feed.signals += 1;
      this.#markDirty(feed);
    }
  }

  #markDirty(feed: Feed): void {
    if (feed.live.size === 0) return;
    feed.dirty = true;
    if (!feed.reading) this.#schedule(feed);
  }

  #schedule(feed: Feed): void {
    feed.reading = true;
    const waitMs = feed.readAt + PACE_MS - performance.now();
    if (waitMs > 0) setTimeout(() => this.#read(feed), waitMs);
    else setImmediate(() => this.#read(feed));
  }

  async #read(feed: Feed): Promise<void> {
    feed.readAt = performance.now();
    try {
      let more = true;
      while (more && feed.live.size > 0 && performance.now() - feed.readAt < PACE_MS) {
        feed.dirty = false;
        const from = feed.position;
        const page = await this.#page(feed.sessionId, from, PAGE);
        if (page.data.length === 0) await this.#endIfGone(feed);
        else await this.#dismiss(feed, feed.live, TRUST_MS);
        // Its end is told like an event, and may have come together with some.
        await this.#dismiss(feed, ofHandOuts(feed.live), 0);
        this.#broadcast(feed, from, page.data);
        more = page.hasMore;
      }
      if (more) feed.dirty = true;
    } catch (error) {
      this.#failedFor(feed, feed.live, error);
    }
    feed.reading = false;
    if (feed.dirty) this.#markDirty(feed);
  }

  #broadcast(feed: Feed, from: string, events: readonly EventRecord[]): void {
    const last = events.at(-1);
    if (last === undefined || feed.live.size === 0) return;
    const { maxStreamBufferBytes } = this.#parts.limits;
    const frames = framesOf(events);
    for (const reader of feed.live) {
      const own = reader.position === from ? frames : framesOf(events.filter(({ id }) => id > reader.position));
      if (reader.queuedBytes > maxStreamBufferBytes) {
        // Others must not wait for it, nor the memory hold what it does not take. It can resume where it was.
        reader.destroy();
      } else if (own.length > maxStreamBufferBytes) {
        feed.live.delete(reader);
        this.#follow(feed, reader, { frames: own, lastEventId: last.id });
      } else reader.write(own, last.id);
    }
    if (last.id > feed.position) feed.position = last.id;
  }

  #tick(): void {
    const now = performance.now();
    for (const feed of this.#feeds.values()) {
      for (const reader of feed.readers) reader.keepAlive(now);
      if (now - feed.checkedAt < this.#parts.limits.streamKeepAliveMs) continue;
      feed.checkedAt = now;
      this.#check(feed).catch((error) => this.#failedFor(feed, feed.readers, error));
    }
  }

  /** Once per keep-alive: finds what no signal told of. */
  async #check(feed: Feed): Promise<void> {
    const session = await this.#endIfGone(feed);
    await this.#dismiss(feed, feed.readers, 0);
    if (session !== undefined && (session.lastEventId ?? BEGINNING) > feed.position) this.#markDirty(feed);
  }

  async #endIfGone(feed: Feed) {
    const session = await this.#parts.store.getSession(feed.sessionId);
    if (session === undefined) for (const reader of feed.readers) this.#end(feed, reader);
    return session;
  }

  async #dismiss(feed: Feed, readers: Iterable<EventReader>, trustMs: number): Promise<void> {
    const gone = await noLongerAllowed(readers, trustMs, this.#parts.stillAllowed);
    for (const reader of gone) this.#end(feed, reader);
  }

  /** The streams that an error touches are ended, and so resume where they were, here or on another server. */
  #failedFor(feed: Feed, readers: Iterable<EventReader>, error: unknown): void {
    const { log } = this.#parts;
    if (error instanceof StoreUnavailable) log.warn({ err: error }, "event streams ended: the store is unavailable");
    else log.error({ err: error }, "event streams ended");
    for (const reader of readers) this.#end(feed, reader);
  }

  #end(feed: Feed, reader: EventReader, retryMs?: number): void {
    this.#leave(feed, reader);
    reader.end(retryMs);
  }

  #leave(feed: Feed, reader: EventReader): void {
    if (!feed.readers.delete(reader)) return;
    this.#open -= 1;
    feed.live.delete(reader);
    if (feed.readers.size === 0) this.#feeds.delete(feed.sessionId);
  }
}

const returnMs = (): number => RETURN_MS.soonest + Math.random() * (RETURN_MS.latest - RETURN_MS.soonest);
