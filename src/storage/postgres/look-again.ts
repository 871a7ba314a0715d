/** How soon those who wait are told to look again, and how late at most while it goes on. */
const DELAY_MS = { min: 10, max: 1_000 } as const;

/**
 * A claim that finds only items which other transactions hold at that moment gets none, although one of those may stay in
 * the queue. Here the queue is remembered and looked at again, at first soon and then ever later.
 */
export class LookAgain {
  readonly #look: (environmentId: string) => void;
  readonly #pending = new Map<string, NodeJS.Timeout>();
  readonly #delays = new Map<string, number>();

  constructor(look: (environmentId: string) => void) {
    this.#look = look;
  }

  /** Some items were left behind. */
  soon(environmentId: string): void {
    if (this.#pending.has(environmentId)) return;
    const delayMs = this.#delays.get(environmentId) ?? DELAY_MS.min;
    this.#delays.set(environmentId, Math.min(DELAY_MS.max, delayMs * 2));
    const timer = setTimeout(() => {
      this.#pending.delete(environmentId);
      this.#look(environmentId);
    }, delayMs);
    timer.unref();
    this.#pending.set(environmentId, timer);
  }

  /** A claim was answered from all there was. */
  settled(environmentId: string): void {
    this.#delays.delete(environmentId);
  }

  close(): void {
    for (const timer of this.#pending.values()) clearTimeout(timer);
    this.#pending.clear();
  }
}
