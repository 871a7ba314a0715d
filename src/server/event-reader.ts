import type { ServerResponse } from "node:http";
import { COMMENT, retryHint } from "./event-frames.ts";
import type { Principal } from "./tokens.ts";

/** Bytes that are handed to the system at once while a reader catches up; after each it shows whether it takes them. */
const SLICE_BYTES = 256 * 1_024;
/** How soon a reader should come back after a connection that broke. */
const RETRY_MS = 1_000;

export interface ReaderOptions {
  readonly sessionId: string;
  readonly principal: Principal;
  /** Nothing up to this event is sent; empty for everything. */
  readonly position: string;
  readonly keepAliveMs: number;
  /** How long the connection may take nothing of what it has to take. */
  readonly stallMs: number;
}

/** One open event stream: who reads it, how far, and the connection. Writes nothing once it has ended. */
export class EventReader {
  readonly sessionId: string;
  readonly principal: Principal;
  /** The last event that was written to it, or where it asked to begin. */
  position: string;
  /** When it was last seen that the caller may still have this, by the process's steady clock. */
  checkedAt = performance.now();
  /** How many events it is given at once while it catches up. */
  pageEvents = Number.POSITIVE_INFINITY;
  readonly #response: ServerResponse;
  readonly #keepAliveMs: number;
  readonly #stallMs: number;
  #commentAt: number;
  /** A frame is written in parts, between which nothing else may go. */
  #inFrame = false;
  #ended = false;

  constructor(response: ServerResponse, requestId: string, options: ReaderOptions) {
    this.sessionId = options.sessionId;
    this.principal = options.principal;
    this.position = options.position;
    this.#response = response;
    this.#keepAliveMs = options.keepAliveMs;
    this.#stallMs = options.stallMs;
    this.#commentAt = performance.now() + options.keepAliveMs;
    // Not in chunks, of which each write would be three: the stream ends with its connection.
    response.removeHeader("transfer-encoding");
    response.writeHead(200, {
      connection: "close",
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      "x-request-id": requestId,
    });
    response.write(retryHint(RETRY_MS));
  }

  get open(): boolean {
    return !this.#ended && !this.#response.destroyed;
  }

  /** Bytes that wait for the reader to take them. */
  get queuedBytes(): number {
    return this.#response.writableLength;
  }

  /** Writes whole frames at once, however many bytes wait already. */
  write(frames: Buffer, lastEventId: string): void {
    if (!this.open) return;
    if (frames.length > 0) this.#response.write(frames);
    this.#moveTo(lastEventId);
  }

  /**
   * Writes whole frames as fast as they are taken.
   *
   * @returns false when the reader is gone, or took nothing for so long that its connection was closed
   */
  async take(frames: Buffer, lastEventId: string): Promise<boolean> {
    this.#inFrame = true;
    for (let start = 0; start < frames.length; start += SLICE_BYTES) {
      if (!this.open) return false;
      this.#response.write(frames.subarray(start, start + SLICE_BYTES));
      if (this.#response.writableNeedDrain && !(await drained(this.#response, this.#stallMs))) {
        this.destroy();
        return false;
      }
    }
    this.#inFrame = false;
    this.#moveTo(lastEventId);
    return this.open;
  }

  /** Writes a comment when one is due. A connection that has bytes to carry needs none. */
  keepAlive(now: number): void {
    if (now < this.#commentAt) return;
    this.#commentAt = now + this.#keepAliveMs;
    if (this.open && !this.#inFrame && !this.#response.writableNeedDrain) this.#response.write(COMMENT);
  }

  /**
   * Ends the stream in order. What waits is still sent, to a reader that takes it in time.
   *
   * @param retryMs how soon the reader should come back
   */
  end(retryMs?: number): void {
    if (this.#ended) return;
    if (retryMs !== undefined && this.open && !this.#inFrame) this.#response.write(retryHint(retryMs));
    this.#ended = true;
    this.#response.end();
    const overdue = setTimeout(() => this.destroy(), this.#stallMs).unref();
    this.#response.once("close", () => clearTimeout(overdue));
  }

  destroy(): void {
    this.#ended = true;
    this.#response.destroy();
  }

  /** Never back: a reader that asked to begin in the future waits for that. */
  #moveTo(eventId: string): void {
    if (eventId > this.position) this.position = eventId;
  }
}

/** Resolves to whether the reader took everything that was written, before the stall limit. */
function drained(response: ServerResponse, stallMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (result: boolean) => () => {
      clearTimeout(timer);
      response.off("drain", onDrain).off("close", onClose);
      resolve(result);
    };
    const onDrain = settle(true);
    const onClose = settle(false);
    // A turn later: after a long halt of this process, what its sockets have to tell comes after its timers.
    const timer = setTimeout(() => setImmediate(onClose), stallMs);
    response.once("drain", onDrain).once("close", onClose);
  });
}
