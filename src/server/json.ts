import { isUtf8 } from "node:buffer";
import { done, type Outcome, refuse } from "../core/faults.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/** Bodies up to this size cannot hold a nesting that matters. */
const SHALLOW_BYTES = 128;

/** A request body as JSON; `undefined` for an empty one. The content type is not asked. */
export function parseJson(body: Buffer | undefined, maxDepth: number): Outcome<unknown> {
  if (body === undefined || body.length === 0) return done(undefined);
  if (!isUtf8(body)) return refuse("invalid_request", "The body is not UTF-8. Send JSON in UTF-8.");
  if (body.length > SHALLOW_BYTES && depthExceeds(body, maxDepth)) {
    return refuse("invalid_request", `The body is nested deeper than ${maxDepth} levels.`);
  }
  try {
    return done(JSON.parse(body.toString("utf8")));
  } catch {
    return refuse("invalid_request", "The body is not JSON.");
  }
}

/** Deep nesting would overflow the stack of whoever writes the value out again. */
function depthExceeds(body: Buffer, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < body.length; index++) {
    const byte = body[index] as number;
    if (inString) {
      if (byte === BACKSLASH) index++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (OPEN.has(byte)) {
      if (++depth > limit) return true;
    } else if (CLOSE.has(byte)) depth--;
  }
  return false;
}
