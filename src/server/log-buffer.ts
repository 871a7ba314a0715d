import { write, writeSync } from "node:fs";

/** Lines are written together once they have this many bytes, or after this time. */
const WRITE_BYTES = 65_536;
const WRITE_AFTER_MS = 100;
/** How soon a write is tried again that the reader had no room for. */
const RETRY_MS = 10;
/** Bytes that wait for a reader who stands still. */
const MAX_BYTES = 8 * 1024 * 1024;
/** Room for lines. A line that is longer gets room of its own. */
const CHUNK_BYTES = 2 * WRITE_BYTES;
/** What a character of a string needs at most in UTF-8. */
const MAX_CHARACTER_BYTES = 3;

/**
 * Where log lines wait until there is enough to write: a write for each costs more than all that went before it. Neither a
 * slow disk nor a reader who stands still holds up those who log. Lines wait as bytes in room that is used again and
 * again: as strings, the garbage collector would carry each of them along until it is written.
 */
export class LogBuffer {
  readonly #fd: number;
  readonly #maxBytes: number;
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  /** Bytes of the chunk that hold lines. */
  #used = 0;
  /** What did not fit into one chunk, the oldest first. */
  #full: Buffer[] = [];
  /** A chunk whose lines have been written. */
  #spare: Buffer | undefined;
  /** Bytes that wait, in all. */
  #bytes = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing = false;
  readonly #atExit = () => this.#writeAtExit();

  /** @param maxBytes how much may wait; lines beyond it are dropped and counted */
  constructor(fd: number, maxBytes: number = MAX_BYTES) {
    this.#fd = fd;
    this.#maxBytes = maxBytes;
  }

  write(line: string): void {
    this.#add(line, "utf8");
  }

  /** The same for a line of which is known that it is ASCII, which is cheaper. */
  writeAscii(line: string): void {
    this.#add(line, "latin1");
  }

  #add(line: string, encoding: "utf8" | "latin1"): void {
    if (this.#bytes >= this.#maxBytes) {
      this.#dropped += 1;
      return;
    }
    if (this.#bytes === 0) process.once("exit", this.#atExit);
    this.#append(line, encoding);
    if (this.#bytes >= WRITE_BYTES) this.flush();
    else this.#timer ??= setTimeout(() => this.#due(), WRITE_AFTER_MS);
  }

  /** Writes what waits, unless a write is under way. */
  flush(): void {
    if (this.#writing || this.#bytes === 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = true;
    const chunk = this.#chunk;
    this.#send(this.#take(), chunk);
  }

  #due(): void {
    this.#timer = undefined;
    if (this.#writing) this.#timer = setTimeout(() => this.#due(), WRITE_AFTER_MS);
    else this.flush();
  }

  #append(line: string, encoding: "utf8" | "latin1"): void {
    const room = encoding === "latin1" ? line.length : line.length * MAX_CHARACTER_BYTES;
    if (room > this.#chunk.length - this.#used) {
      this.#full.push(this.#chunk.subarray(0, this.#used));
      this.#chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, room));
      this.#used = 0;
    }
    const bytes = this.#chunk.write(line, this.#used, encoding);
    this.#used += bytes;
    this.#bytes += bytes;
  }

  /** Everything that waits. The chunk that it is in belongs to the caller. */
  #take(): Buffer {
    if (this.#dropped > 0) this.#append(droppedLine(this.#dropped), "latin1");
    const newest = this.#chunk.subarray(0, this.#used);
    const bytes = this.#full.length === 0 ? newest : Buffer.concat([...this.#full, newest]);
    this.#chunk = this.#spare ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#spare = undefined;
    this.#used = 0;
    this.#full = [];
    this.#bytes = 0;
    this.#dropped = 0;
    process.off("exit", this.#atExit);
    return bytes;
  }

  #send(bytes: Buffer, chunk: Buffer): void {
    write(this.#fd, bytes, (error, written) => {
      const left = error?.code === "EAGAIN" ? bytes : bytes.subarray(error === null ? written : bytes.length);
      if (left.length === 0) {
        // On any other error nobody reads the log any more, and there is nobody else to tell.
        this.#writing = false;
        if (chunk.length === CHUNK_BYTES) this.#spare = chunk;
        if (this.#bytes >= WRITE_BYTES) this.flush();
      } else if (error === null) this.#send(left, chunk);
      else setTimeout(() => this.#send(left, chunk), RETRY_MS);
    });
  }

  #writeAtExit(): void {
    try {
      writeSync(this.#fd, this.#take());
    } catch {
      // The process ends: there is no later, and nobody to tell.
    }
  }
}

const droppedLine = (dropped: number): string =>
  `${JSON.stringify({ level: "warn", time: new Date().toISOString(), dropped, msg: "lines dropped: the log was not read" })}\n`;
