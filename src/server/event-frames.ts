import { presentEvent } from "../contract/present.ts";
import type { EventRecord } from "../core/records.ts";

/** Events as server-sent events. Bytes, not text: all readers of a session are given the same ones, encoded once. */
export const framesOf = (events: readonly EventRecord[]): Buffer => Buffer.from(events.map(frameOf).join(""));

/** JSON holds no line break outside of its escapes, so that one `data` line carries every event. */
const frameOf = (event: EventRecord): string =>
  `id: ${event.id}\nevent: ${event.type}\ndata: ${onOneLine(JSON.stringify(presentEvent(event)))}\n\n`;

/** No line breaks in JSON and in event streams, but to the `splitlines` of Python, with which some clients read them. */
const BREAKS_ELSEWHERE = /[\u0085\u2028\u2029]/g;
const onOneLine = (json: string): string =>
  json.replace(BREAKS_ELSEWHERE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

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
