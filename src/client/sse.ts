/** One dispatched event of a stream of server-sent events. */
export interface SseFrame {
  /** The last `id` that the stream has named; empty before the first. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** More than this in one line or one event is not from this API. */
export class SseTooLong extends Error {}

const NUL = "\u0000";

/**
 * Reads server-sent events (the `text/event-stream` of the HTML standard) from bytes, however they are cut: inside a
 * character, inside a line break, in the middle of a line of many megabytes.
 */
export class SseParser {
  readonly #maxCharacters: number;
  readonly #decoder = new TextDecoder();
  /** Beginnings of the line that has not ended yet. Joined once: a long line costs as much as many short ones. */
  #pieces: string[] = [];
  #pieceCharacters = 0;
  /** The chunk before ended with a CR: an LF that begins the next one belongs to it. */
  #afterCarriageReturn = false;
  #id = "";
  #event = "";
  #data: string[] = [];
  #dataCharacters = 0;
  /** The last `retry` that the stream has named, in milliseconds. */
  retryMs: number | undefined;

  /** @param maxCharacters of one line, and of the data of one event */
  constructor(maxCharacters: number) {
    this.#maxCharacters = maxCharacters;
  }

  /**
   * The events that these bytes complete. An event that the end of the stream cuts off is none.
   *
   * @throws SseTooLong
   */
  push(bytes: Uint8Array): SseFrame[] {
    const text = this.#decoder.decode(bytes, { stream: true });
    const frames: SseFrame[] = [];
    let start = this.#afterCarriageReturn && text.startsWith("\n") ? 1 : 0;
    if (text !== "") this.#afterCarriageReturn = text.endsWith("\r");
    while (start < text.length) {
      const end = lineEnd(text, start);
      if (end < 0) break;
      const frame = this.#line(this.#completed(text.slice(start, end)));
      if (frame !== undefined) frames.push(frame);
      start = text.startsWith("\r\n", end) ? end + 2 : end + 1;
    }
    if (start < text.length) this.#keep(text.slice(start));
    return frames;
  }

  #keep(piece: string): void {
    this.#pieces.push(piece);
    this.#pieceCharacters += piece.length;
    if (this.#pieceCharacters > this.#maxCharacters) throw new SseTooLong("A line is too long.");
  }

  #completed(lastPiece: string): string {
    if (this.#pieces.length === 0) return lastPiece;
    const line = this.#pieces.join("") + lastPiece;
    this.#pieces = [];
    this.#pieceCharacters = 0;
    return line;
  }

  #line(line: string): SseFrame | undefined {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") this.#append(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes(NUL)) this.#id = value;
    else if (field === "retry" && /^\d{1,9}$/.test(value)) this.retryMs = Number(value);
    return undefined;
  }

  #append(value: string): void {
    this.#data.push(value);
    this.#dataCharacters += value.length + 1;
    if (this.#dataCharacters > this.#maxCharacters) throw new SseTooLong("An event is too long.");
  }

  #dispatch(): SseFrame | undefined {
    const frame = { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") };
    const isEvent = this.#data.length > 0;
    this.#event = "";
    this.#data = [];
    this.#dataCharacters = 0;
    return isEvent ? frame : undefined;
  }
}

/** Where the line ends that begins at `start`: at a LF, a CR, or a CR and a LF. */
function lineEnd(text: string, start: number): number {
  const feed = text.indexOf("\n", start);
  // Looked for no further than the LF: in a stream without any CR, each line would else be searched to the chunk's end.
  const head = feed < 0 ? text.slice(start) : text.slice(start, feed);
  const carriageReturn = head.indexOf("\r");
  return carriageReturn < 0 ? feed : start + carriageReturn;
}
