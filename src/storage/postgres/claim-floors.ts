import type { WorkRecord } from "../../core/records.ts";
import { type Micros, secondsToMicros } from "../../core/time.ts";

/** Where a claim on an environment begins to look. */
export interface Floors {
  /** Least key of an item that was never delivered. */
  readonly ready: string;
  readonly delivered: Micros;
  readonly delayed: Micros;
}

/** The first entries that a claim has seen, locked by others or not; `null` where there was none. */
export interface Heads {
  readonly ready: string | null;
  readonly delivered: Micros | null;
  readonly delayed: Micros | null;
}

/** What is younger than this may not have been committed yet when a claim looked. */
const MARGIN_MICROS = secondsToMicros(1);
const MAX_ENVIRONMENTS = 10_000;
/** How long after its last claim an environment's place is kept. */
const KEEP_MS = 60_000;
/** Arrivals that are remembered for claims under way. */
const MAX_ARRIVALS = 256;

/**
 * An item that leaves the queue leaves a dead entry at the front of its index, and while any transaction in the database
 * is older than that, nobody may clear it away: after an hour with one forgotten transaction a claim would read past
 * every item of that hour. So each claim remembers where it found the first living entry, and the next one begins there.
 *
 * Items come in behind that place, but for those that come back, and those whose commit took long. Each commit says which
 * was its first item, here and by a hint on every other server, and the place is lowered to that. Hints can be lost, so
 * somebody looks below all places whenever those who wait are told to look for themselves.
 */
export class ClaimFloors {
  readonly #floors = new Map<string, Floors & { readonly usedAt: number }>();
  /** The first keys that commits brought lately, in their order; a claim under way may not have seen them. */
  #arrivals: { readonly environmentId: string; readonly key: string }[] = [];
  /** Arrivals that are not remembered any more. */
  #forgotten = 0;

  /** To be passed to `raise` by whoever begins to look now. */
  get moment(): number {
    return this.#forgotten + this.#arrivals.length;
  }

  of(environmentId: string): Floors {
    const floors = this.#floors.get(environmentId) ?? { ready: environmentId, delivered: 0, delayed: 0 };
    return { ready: floors.ready, delivered: floors.delivered, delayed: floors.delayed };
  }

  /**
   * Takes the place from what a claim has seen; a clock that went back lowers it.
   *
   * @param moment when the claim began to look
   */
  raise(environmentId: string, { ready, delivered, delayed }: Heads, now: Micros, moment: number): void {
    if (moment < this.#forgotten) return;
    const settled = now - MARGIN_MICROS;
    let key = keyOf(environmentId, settled);
    if (ready !== null && ready < key) key = ready;
    for (const arrival of this.#arrivals.slice(moment - this.#forgotten)) {
      if (arrival.environmentId === environmentId && arrival.key < key) key = arrival.key;
    }
    if (this.#floors.size >= MAX_ENVIRONMENTS) this.#floors.clear();
    this.#floors.set(environmentId, {
      ready: key,
      delivered: Math.min(delivered ?? settled, settled),
      delayed: Math.min(delayed ?? settled, settled),
      usedAt: performance.now(),
    });
  }

  /** A commit put items into the queue, this one first. */
  arrived(environmentId: string, key: string): void {
    if (this.#arrivals.length === MAX_ARRIVALS) {
      this.#arrivals = this.#arrivals.slice(MAX_ARRIVALS / 2);
      this.#forgotten += MAX_ARRIVALS / 2;
    }
    this.#arrivals.push({ environmentId, key });
    const floors = this.#floors.get(environmentId);
    if (floors !== undefined && key < floors.ready) this.#floors.set(environmentId, { ...floors, ready: key });
  }

  /** Lowers a place to what was found from the very beginning on. Returns whether that was below it. */
  lower(environmentId: string, { ready, delivered, delayed }: Heads): boolean {
    const before = this.#floors.get(environmentId);
    if (before === undefined) return false;
    const after = {
      ready: ready !== null && ready < before.ready ? ready : before.ready,
      delivered: Math.min(delivered ?? before.delivered, before.delivered),
      delayed: Math.min(delayed ?? before.delayed, before.delayed),
    };
    const same =
      after.ready === before.ready && after.delivered === before.delivered && after.delayed === before.delayed;
    if (!same) this.#floors.set(environmentId, { ...before, ...after });
    return !same;
  }

  /** Those that have a place; the places of others that have not been used for a while are given up. */
  environments(): string[] {
    const longAgo = performance.now() - KEEP_MS;
    for (const [id, { usedAt }] of this.#floors) if (usedAt < longAgo) this.#floors.delete(id);
    return [...this.#floors.keys()];
  }
}

/** Of each environment, the key of the first item that is ready for anybody: its place in line. */
export function firstKeys(works: Iterable<WorkRecord>): Map<string, string> {
  const first = new Map<string, string>();
  for (const { state, deliveredAt, availableAt, environmentId, id } of works) {
    if (state !== "queued" || deliveredAt !== null || availableAt !== null) continue;
    const key = environmentId + id;
    const known = first.get(environmentId);
    if (known === undefined || key < known) first.set(environmentId, key);
  }
  return first;
}

/** Less than the key of every item that was made later. */
const keyOf = (environmentId: string, at: Micros): string =>
  `${environmentId}work_${Math.max(0, Math.floor(at / 1_000))
    .toString(16)
    .padStart(12, "0")}`;
