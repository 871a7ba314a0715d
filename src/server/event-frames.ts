import { presentEvent } from "../contract/present.ts";
import type { EventRecord } from "../core/records.ts";

/** Events as server-sent events. Bytes, not text: all readers of a session are given the same ones, encoded once. */
export const framesOf = (events: readonly EventRecord[]): Buffer => Buffer.from(events.map(frameOf).join(""));

/** JSON holds no line break outside of its escapes, so that one `data` line carries every event. */
const frameOf = (event: EventRecord): string =>
  `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(presentEvent(event))}\n\n`;

/** As many of the events as fit into the bytes, and at least one: what a reader is given at once while it catches up. */
export function fittingFrames(events: readonly EventRecord[], maxBytes: number) {
  let text = "";
  let count = 0;
  for (const event of events) {
    const frame = frameOf(event);
    if (count > 0 && text.length + frame.length > maxBytes) break;
    text += frame;
    count += 1;
  }
  return { frames: Buffer.from(text), count, last: events[count - 1] };
}

/** Ignored by every reader; keeps proxies from closing a silent connection. */
export const COMMENT = Buffer.from(": keep-alive\n\n");

/** How soon a reader should come back when the connection is lost. */
export const retryHint = (ms: number): string => `retry: ${Math.round(ms)}\n\n`;
