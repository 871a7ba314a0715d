import type { Sink } from "../io.ts";

const ERASE_LINE = "\r\u001b[2K";

/** A last line that stands below everything that is written, and changes in place. Only a terminal has one. */
export class StatusLine {
  readonly #sink: Sink;
  readonly #text: () => string;
  readonly #timer: NodeJS.Timeout | undefined;
  #shown = false;

  /** @param text what it says now; asked for again every second */
  constructor(sink: Sink, text: () => string) {
    this.#sink = sink;
    this.#text = text;
    if (!sink.isTerminal) return;
    this.#timer = setInterval(() => this.show(), 1_000);
    this.#timer.unref();
  }

  /** Writes above the line. */
  above(lines: string): void {
    this.#erase();
    this.#sink.write(lines);
    this.show();
  }

  show(): void {
    if (!this.#sink.isTerminal) return;
    const text = [...this.#text()].slice(0, (this.#sink.columns ?? 80) - 1).join("");
    this.#sink.write(`${ERASE_LINE}${text}`);
    this.#shown = true;
  }

  end(): void {
    clearInterval(this.#timer);
    this.#erase();
  }

  #erase(): void {
    if (this.#shown) this.#sink.write(ERASE_LINE);
    this.#shown = false;
  }
}
