import { write, writeSync } from "node:fs";

/** Lines are written together once they have this many characters, or after this time. */
const WRITE_CHARACTERS = 16_384;
const WRITE_AFTER_MS = 100;
/** How soon a write is tried again that the reader had no room for. */
const RETRY_MS = 10;
/** Characters that wait for a reader who stands still. */
const MAX_CHARACTERS = 8 * 1024 * 1024;

/**
 * Where log lines wait until there is enough to write: a write for each costs more than all that went before it. Neither a
 * slow disk nor a reader who stands still holds up those who log.
 */
export class LogBuffer {
  readonly #fd: number;
  readonly #maxCharacters: number;
  #lines: string[] = [];
  #characters = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing = false;
  readonly #atExit = () => this.#writeAtExit();

  /** @param maxCharacters how much may wait; lines beyond it are dropped and counted */
  constructor(fd: number, maxCharacters: number = MAX_CHARACTERS) {
    this.#fd = fd;
    this.#maxCharacters = maxCharacters;
  }

  write(line: string): void {
    if (this.#characters >= this.#maxCharacters) {
      this.#dropped += 1;
      return;
    }
    if (this.#lines.length === 0) process.once("exit", this.#atExit);
    this.#lines.push(line);
    this.#characters += line.length;
    if (this.#characters >= WRITE_CHARACTERS) this.flush();
    else this.#timer ??= setTimeout(() => this.#due(), WRITE_AFTER_MS);
  }

  /** Writes what waits, unless a write is under way. */
  flush(): void {
    if (this.#writing || this.#lines.length === 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = true;
    this.#send(this.#take());
  }

  #due(): void {
    this.#timer = undefined;
    if (this.#writing) this.#timer = setTimeout(() => this.#due(), WRITE_AFTER_MS);
    else this.flush();
  }

  #take(): Buffer {
    if (this.#dropped > 0) this.#lines.push(droppedLine(this.#dropped));
    const text = Buffer.from(this.#lines.join(""));
    this.#lines = [];
    this.#characters = 0;
    this.#dropped = 0;
    process.off("exit", this.#atExit);
    return text;
  }

  #send(text: Buffer): void {
    write(this.#fd, text, (error, written) => {
      const left = error?.code === "EAGAIN" ? text : text.subarray(error === null ? written : text.length);
      if (left.length === 0) {
        // On any other error nobody reads the log any more, and there is nobody else to tell.
        this.#writing = false;
        if (this.#characters >= WRITE_CHARACTERS) this.flush();
      } else if (error === null) this.#send(left);
      else setTimeout(() => this.#send(left), RETRY_MS);
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
