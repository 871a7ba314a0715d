/** How many sessions may run at once. */
export class Slots {
  readonly total: number;
  #taken = 0;
  #wake: (() => void) | undefined;

  constructor(total: number) {
    this.total = total;
  }

  get taken(): number {
    return this.#taken;
  }

  take(): void {
    if (this.#taken >= this.total) throw new Error("a session was taken without a free slot");
    this.#taken += 1;
  }

  free(): void {
    this.#taken -= 1;
    this.#wake?.();
  }

  /** Resolves when a slot is free, or the signal is aborted. For one waiter: the poll loop. */
  async untilFree(signal: AbortSignal): Promise<void> {
    while (this.#taken >= this.total && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener("abort", wake);
          this.#wake = undefined;
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener("abort", wake);
      });
    }
  }
}
