import type { ClaimFloors, Heads } from "./claim-floors.ts";

/** A check that took long is not made again before this many times as long. */
const REST_FACTOR = 20;

/**
 * Looks below the places at which claims begin, in case that an item came in there without anybody hearing of it. That may
 * mean to read past many dead entries, so it is done beside the claims and not by them.
 */
export class FloorChecks {
  readonly #floors: ClaimFloors;
  readonly #heads: (environmentId: string) => Promise<Heads>;
  readonly #found: (environmentId: string) => void;
  readonly #notBefore = new Map<string, number>();
  #running = false;

  /**
   * @param heads reads the first entries of an environment, from the very beginning
   * @param found something was there
   */
  constructor(
    floors: ClaimFloors,
    heads: (environmentId: string) => Promise<Heads>,
    found: (environmentId: string) => void,
  ) {
    this.#floors = floors;
    this.#heads = heads;
    this.#found = found;
  }

  /** Checks every environment that has a place; one run at a time. */
  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (const environmentId of this.#floors.environments()) await this.#check(environmentId);
    } catch {
      // The database is away. Whoever looks next begins where he can: places are kept, and checked the next time.
    } finally {
      this.#running = false;
    }
  }

  async #check(environmentId: string): Promise<void> {
    const began = performance.now();
    if (began < (this.#notBefore.get(environmentId) ?? 0)) return;
    const heads = await this.#heads(environmentId);
    const now = performance.now();
    this.#notBefore.set(environmentId, now + (now - began) * REST_FACTOR);
    if (this.#floors.lower(environmentId, heads)) this.#found(environmentId);
  }
}
