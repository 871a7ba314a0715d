import { isUtf8 } from "node:buffer";
import { LIMITS } from "../contract/limits.ts";
import { done, type Outcome, refuse } from "../core/faults.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/** Bodies up to this size cannot hold a nesting or a number of values that matters. */
const SHALLOW_BYTES = 128;

/** A request body as JSON; `undefined` for an empty one. The content type is not asked. */
export function parseJson(body: Buffer | undefined, maxDepth: number): Outcome<unknown> {
  if (body === undefined || body.length === 0) return done(undefined);
  if (!isUtf8(body)) return refuse("invalid_request", "The body is not UTF-8. Send JSON in UTF-8.");
  const problem = body.length > SHALLOW_BYTES ? shapeProblem(body, maxDepth) : undefined;
  if (problem !== undefined) return refuse("invalid_request", problem);
  try {
    return done(JSON.parse(body.toString("utf8")));
  } catch {
    return refuse("invalid_request", "The body is not JSON.");
  }
}

/**
 * Deep nesting would overflow the stack of whoever writes the value out again. Very many values would keep everybody else
 * waiting while they are read, checked, and written out: each costs far more than its bytes.
 */
function shapeProblem(body: Buffer, maxDepth: number): string | undefined {
  let depth = 0;
  let values = 1;
  let inString = false;
  for (let index = 0; index < body.length; index++) {
    const byte = body[index] as number;
    if (inString) {
      if (byte === BACKSLASH) index++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (OPEN.has(byte)) {
      values += 1;
      if (++depth > maxDepth) return `The body is nested deeper than ${maxDepth} levels.`;
    } else if (CLOSE.has(byte)) depth--;
    else if (byte === COMMA) values += 1;
    if (values > LIMITS.bodyValues) return `The body holds more than ${LIMITS.bodyValues} values.`;
  }
  return undefined;
}
