/** What takes less than this is looked up each time. */
const CHEAP_MS = 100;
/** What took longer is not looked up again before this many times as long. */
const REST_FACTOR = 20;

/**
 * Something that takes the longer to look up the more there is: those who ask at the same time share one answer, and one
 * that took long is kept for a while, so that the database spends a small part of its time on it, however many ask.
 */
export class Costly<T> {
  readonly #look: () => Promise<T>;
  readonly #restFactor: number;
  #running: Promise<T> | undefined;
  #kept: { readonly answer: T; readonly until: number } | undefined;

  /** @param rests whether answers are kept; tests that go by a clock of their own want each answer as of now */
  constructor(look: () => Promise<T>, rests: boolean) {
    this.#look = look;
    this.#restFactor = rests ? REST_FACTOR : 0;
  }

  get(): Promise<T> {
    if (this.#kept !== undefined && performance.now() < this.#kept.until) return Promise.resolve(this.#kept.answer);
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<T> {
    const began = performance.now();
    const answer = await this.#look();
    const now = performance.now();
    const restMs = now - began < CHEAP_MS ? 0 : (now - began) * this.#restFactor;
    this.#kept = { answer, until: now + restMs };
    return answer;
  }
}
