import type { Sink } from "../io.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: what paints a text takes no room on the terminal
const STYLE = /\u001b\[[\d;]*m/g;

/** Some last lines of a terminal that are drawn anew in place, below whatever is written for good. */
export class LiveBlock {
  readonly #sink: Sink;
  #text = "";

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Writes above the block. */
  above(lines: string): void {
    const below = this.#text;
    this.end();
    this.#sink.write(lines);
    this.draw(below);
  }

  /** @param text whole lines */
  draw(text: string): void {
    this.end();
    this.#sink.write(text);
    this.#text = text;
  }

  /** Takes the block away. */
  end(): void {
    const lines = this.#rows();
    if (lines > 0) this.#sink.write(`\u001b[${lines}A\r\u001b[J`);
    this.#text = "";
  }

  /** A line that is longer than the terminal is wide stands on several rows of it. */
  #rows(): number {
    const { columns = Number.POSITIVE_INFINITY } = this.#sink;
    const lines = this.#text.split("\n").slice(0, -1);
    return lines.reduce(
      (rows, line) => rows + Math.max(1, Math.ceil([...line.replace(STYLE, "")].length / columns)),
      0,
    );
  }
}
