import type { Sink } from "../io.ts";
import { paint } from "../output/colour.ts";
import type { Track } from "./track.ts";

const BAR_CHARACTERS = 20;

/**
 * Shows a demo while it goes on: on a terminal a block that is drawn anew in place, below the lines of what has happened;
 * elsewhere those lines alone.
 */
export class Display {
  readonly #sink: Sink;
  readonly #began = performance.now();
  #drawn = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1_000;
  }

  tell(text: string): void {
    this.#erase();
    this.#sink.write(`${paint(this.#sink, "dim", `${this.seconds.toFixed(1).padStart(5)} s`)}  ${text}\n`);
  }

  draw(tracks: readonly Track[]): void {
    if (!this.#sink.isTerminal) return;
    this.#erase();
    const widest = Math.max(...tracks.map(({ job }) => job.name.length));
    for (const track of tracks) this.#sink.write(`${this.#line(track, widest)}\n`);
    this.#drawn = tracks.length;
  }

  /** Takes the block away, for what comes after it. */
  clear(): void {
    this.#erase();
  }

  #line({ job, filesDone, ended, workers }: Track, widest: number): string {
    const filled = Math.round((filesDone / job.files.length) * BAR_CHARACTERS);
    const bar =
      paint(this.#sink, "green", "█".repeat(filled)) + paint(this.#sink, "dim", "░".repeat(BAR_CHARACTERS - filled));
    const count = `${filesDone}/${job.files.length}`.padStart(7);
    return `         ${job.name.padEnd(widest)}  ${bar} ${count}  ${(ended ?? workers.at(-1) ?? "waits").padEnd(10)}`;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#sink.write(`\u001b[${this.#drawn}A\u001b[J`);
    this.#drawn = 0;
  }
}
