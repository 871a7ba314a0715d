/**
 * Gives one caller after the other a turn of the event loop. Steps that are long for this process, such as reading a
 * page of a large history, so delay everything else by one of them, however many callers want to take theirs.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #running = false;

  /** Resolves in a turn of the event loop that no other caller of this gets. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#running) return;
      this.#running = true;
      setImmediate(() => this.#advance());
    });
  }

  #advance(): void {
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) setImmediate(() => this.#advance());
    else this.#running = false;
  }
}
