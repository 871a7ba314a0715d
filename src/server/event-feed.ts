import type { EventReader } from "./event-reader.ts";

/** The position before all events of a session. */
export const BEGINNING = "";

/** All readers of one session. */
export interface Feed {
  readonly sessionId: string;
  /** Every event up to here has been read for the live readers. Only ever rises, and is never beyond the session's end. */
  position: string;
  readonly readers: Set<EventReader>;
  /** Those that have caught up: each new event is read and encoded once for all of them. */
  readonly live: Set<EventReader>;
  reading: boolean;
  /** Something may have been committed since the read under way began. */
  dirty: boolean;
  /** Counts signals, so that a reader which joins notices one that came while it caught up. */
  signals: number;
  readAt: number;
  checkedAt: number;
}

export const newFeed = (sessionId: string): Feed => ({
  sessionId,
  position: BEGINNING,
  readers: new Set(),
  live: new Set(),
  reading: false,
  dirty: false,
  signals: 0,
  readAt: 0,
  checkedAt: performance.now(),
});
