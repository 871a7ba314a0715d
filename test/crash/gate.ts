/** Where callers wait while the server is away. */
export class Gate {
  #open: (() => void) | undefined;
  #opened: Promise<void> = Promise.resolve();

  close(): void {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open?.();
  }

  passed(): Promise<void> {
    return this.#opened;
  }
}
