import type { Micros } from "./time.ts";

/** The prefix says what an id names; the rest is a UUIDv7, so that text order is creation order. */
export const ID_PREFIXES = {
  environment: "env_",
  session: "sess_",
  work: "work_",
  event: "evt_",
  agent: "agent_",
  token: "tok_",
} as const;

export type IdKind = keyof typeof ID_PREFIXES;

/** The source of a regular expression that all ids of a kind match, and nothing else. */
export const idPattern = (kind: IdKind): string => `^${ID_PREFIXES[kind]}[0-9a-f]{32}$`;

const PATTERNS = Object.fromEntries(
  Object.keys(ID_PREFIXES).map((kind) => [kind, new RegExp(idPattern(kind as IdKind))]),
) as Readonly<Record<IdKind, RegExp>>;

export const isId = (kind: IdKind, text: unknown): text is string =>
  typeof text === "string" && PATTERNS[kind].test(text);

/**
 * 12 bits of `rand_a` and the first 14 of `rand_b`: the microseconds within the millisecond, then 16 bits that begin at
 * random and count (RFC 9562, 6.2 methods 3 and 1). So ids of servers that share a clock ascend with its microseconds.
 */
const COUNTER_BITS = 26;
const COUNTER_LIMIT = 2 ** COUNTER_BITS;
const MICROS_SHIFT = 16;

/**
 * Makes ids that ascend strictly over all kinds, also when the clock stands still or steps back.
 *
 * @param randomHex returns that many random bytes as hex; passed in because `core` does no IO.
 */
export class IdSource {
  readonly #randomHex: (bytes: number) => string;
  #ms = 0;
  #counter = 0;
  /** The text of the millisecond that was asked for last: it costs as much as the rest of an id. */
  #textMs = -1;
  #text = "";
  /** The newest id, without its prefix. */
  #newest = "";

  constructor(randomHex: (bytes: number) => string) {
    this.#randomHex = randomHex;
  }

  next(kind: IdKind, now: Micros, above: string | null = null): string {
    if (above !== null) this.raiseAbove(above);
    const ms = Math.floor(now / 1_000);
    const earliest = (now - ms * 1_000) << MICROS_SHIFT;
    if (ms > this.#ms || (ms === this.#ms && earliest > this.#counter)) {
      this.#ms = ms;
      this.#counter = earliest + Number.parseInt(this.#randomHex(2), 16);
    } else if (++this.#counter >= COUNTER_LIMIT) {
      // The range of the last microsecond is used up: go on in the next millisecond.
      this.#ms += 1;
      this.#counter = 0;
    }
    const high = this.#counter >>> 14;
    const low = (this.#counter & 0x3fff) | 0x8000;
    this.#newest = `${this.#time()}7${high.toString(16).padStart(3, "0")}${low.toString(16)}${this.#randomHex(6)}`;
    return ID_PREFIXES[kind] + this.#newest;
  }

  #time(): string {
    if (this.#textMs !== this.#ms) {
      this.#textMs = this.#ms;
      this.#text = this.#ms.toString(16).padStart(12, "0");
    }
    return this.#text;
  }

  /** Makes every later id greater than this one: called at start with the newest id that the store holds. */
  raiseAbove(id: string): void {
    const hex = id.slice(id.indexOf("_") + 1);
    if (hex <= this.#newest) return;
    const ms = Number.parseInt(hex.slice(0, 12), 16);
    const counter = (Number.parseInt(hex.slice(13, 16), 16) << 14) | (Number.parseInt(hex.slice(16, 20), 16) & 0x3fff);
    if (ms > this.#ms || (ms === this.#ms && counter > this.#counter)) {
      this.#ms = ms;
      this.#counter = counter;
    }
  }
}
