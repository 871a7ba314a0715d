/** Longest line that is kept whole; a longer one is cut into pieces of at most this size. */
export const MAX_LINE_BYTES = 1024 * 1024;

const NEWLINE = 0x0a;

/**
 * Cuts bytes into lines and leaves out the empty ones. Lines are decoded one by one, so that a character split between
 * two reads stays whole, and bytes that are no UTF-8 damage no more than themselves. Holds one line in memory at most.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #held: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number = MAX_LINE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that this chunk completes. */
  *push(chunk: Buffer): Generator<string> {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    for (;;) {
      const newline = rest.indexOf(NEWLINE);
      const end = newline < 0 ? rest.length : newline;
      if (end > this.#maxBytes) {
        const cut = characterStart(rest, this.#maxBytes);
        yield* decoded(rest.subarray(0, cut));
        rest = rest.subarray(cut);
      } else if (newline < 0) {
        // A copy, because a view would keep all of the chunk alive.
        this.#held = Buffer.from(rest);
        return;
      } else {
        yield* decoded(rest.subarray(0, newline));
        rest = rest.subarray(newline + 1);
      }
    }
  }

  /** What is left when the output ends without a line break. */
  *end(): Generator<string> {
    yield* decoded(this.#held);
    this.#held = Buffer.alloc(0);
  }
}

function* decoded(bytes: Buffer): Generator<string> {
  const line = bytes.toString("utf8").replace(/\r$/, "");
  if (line.trim() !== "") yield line;
}

/** The last position up to `at` at which a UTF-8 character begins; `at` itself when there is none nearby. */
function characterStart(bytes: Buffer, at: number): number {
  for (let back = 0; back < 4 && at > back; back += 1) {
    if (((bytes[at - back] ?? 0) & 0xc0) !== 0x80) return at - back;
  }
  return at;
}
