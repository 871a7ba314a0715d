/** How long one turn may take: from the event that begins it until the handler waits for the next one. */
export class TurnClock {
  readonly #limitMs: number | undefined;
  readonly #onOver: () => void;
  #deadline: Date | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param limitMs left out: for ever */
  constructor(limitMs: number | undefined, onOver: () => void) {
    this.#limitMs = limitMs;
    this.#onOver = onOver;
  }

  /** When the present turn is over, or would have been. */
  get deadline(): Date | undefined {
    return this.#deadline;
  }

  /** A turn begins. */
  start(): void {
    this.stop();
    if (this.#limitMs === undefined) return;
    this.#deadline = new Date(Date.now() + this.#limitMs);
    this.#timer = setTimeout(this.#onOver, this.#limitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
