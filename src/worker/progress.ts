import type { NewSessionEvent } from "./handler.ts";

/** At most one event in this time: progress is for people who watch, and stays in the session for ever. */
const INTERVAL_MS = 1_000;

/** Progress at a bounded rate: the first text at once, and of those that follow too fast the latest one. */
export class Progress {
  readonly #send: (event: NewSessionEvent) => void;
  #latest: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(send: (event: NewSessionEvent) => void) {
    this.#send = send;
  }

  report(text: string): void {
    this.#latest = text;
    if (this.#timer === undefined) this.#sendLatest();
  }

  /** Sends what was held back. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#latest;
    this.#latest = undefined;
    if (text !== undefined) this.#send({ type: "span.progress", content: [{ type: "text", text }] });
  }

  #sendLatest(): void {
    this.flush();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#latest !== undefined) this.#sendLatest();
    }, INTERVAL_MS);
  }
}
