import { StoreUnavailable } from "../store.ts";

/** A statement that takes longer than this waits for something, such as a dead connection: the next begins beside it. */
export const SLOW_LOOKUP_MS = 250;

/**
 * Lookups by key, one statement after the other: those that come while one is under way share the next. However many ask,
 * each for something else, they use one connection as long as it answers. Nobody joins a statement that has begun, which
 * might not see what was committed before he came.
 */
export class SharedLookup<T> {
  readonly #look: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>;
  readonly #maxWaiting: number;
  #keys = new Set<string>();
  /** The statement that has not begun. */
  #next: Promise<ReadonlyMap<string, T>> | undefined;
  /** Resolves when that may begin. */
  #turn: Promise<void> = Promise.resolve();

  /**
   * @param look finds what there is under these keys, which are all different
   * @param maxWaiting keys that wait at once, which is also how many one statement asks for
   */
  constructor(look: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>, maxWaiting: number) {
    this.#look = look;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * What there is under a key, or `undefined`.
   *
   * @throws StoreUnavailable when too many wait, and whatever `look` throws
   */
  async get(key: string): Promise<T | undefined> {
    if (this.#keys.size >= this.#maxWaiting) {
      throw new StoreUnavailable(`${this.#maxWaiting} lookups wait for the database already.`);
    }
    this.#keys.add(key);
    this.#next ??= this.#turn.then(() => this.#begin());
    return (await this.#next).get(key);
  }

  #begin(): Promise<ReadonlyMap<string, T>> {
    const keys = [...this.#keys];
    this.#keys = new Set();
    this.#next = undefined;
    const looking = this.#look(keys);
    this.#turn = new Promise((resolve) => {
      const slow = setTimeout(resolve, SLOW_LOOKUP_MS);
      const ended = (): void => {
        clearTimeout(slow);
        resolve();
      };
      looking.then(ended, ended);
    });
    return looking;
  }
}
