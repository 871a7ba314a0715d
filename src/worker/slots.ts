/** A poll that may go on for as long as there is room for what it brings. */
export interface Asking {
  readonly signal: AbortSignal;
  end(): void;
}

/**
 * How many sessions may run at once. One that only waits for its user gives way to another, so there is room while a
 * slot is free or somebody waits.
 */
export class Slots {
  readonly total: number;
  #taken = 0;
  #idle = 0;
  /** Waits for room. There is one: the poll loop. */
  #wake: (() => void) | undefined;
  #asking: AbortController | undefined;

  constructor(total: number) {
    this.total = total;
  }

  get taken(): number {
    return this.#taken;
  }

  get isFree(): boolean {
    return this.#taken < this.total;
  }

  get hasRoom(): boolean {
    return this.isFree || this.#idle > 0;
  }

  take(): void {
    if (!this.isFree) throw new Error("a session was taken without a free slot");
    this.#taken += 1;
    this.#changed();
  }

  free(): void {
    this.#taken -= 1;
    this.#changed();
  }

  /** A running session waits for its user. */
  idle(): void {
    this.#idle += 1;
    this.#changed();
  }

  /** It does so no more. */
  busy(): void {
    this.#idle -= 1;
    this.#changed();
  }

  /** Resolves when there is room, or the signal is aborted. */
  async untilRoom(signal: AbortSignal): Promise<void> {
    while (!this.hasRoom && !signal.aborted) {
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

  /** The signal of a poll: aborted with `signal`, and as soon as there is no room any more. */
  asking(signal: AbortSignal): Asking {
    const controller = new AbortController();
    const abort = () => controller.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    this.#asking = controller;
    return {
      signal: controller.signal,
      end: () => {
        signal.removeEventListener("abort", abort);
        this.#asking = undefined;
      },
    };
  }

  #changed(): void {
    if (this.hasRoom) this.#wake?.();
    else this.#asking?.abort(new Error("no room any more"));
  }
}
