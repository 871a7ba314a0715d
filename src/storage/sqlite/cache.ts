/** Characters of JSON in the rows of a generation, at most, beyond its last row. */
const MAX_WEIGHT = 16 * 1024 * 1024;

/**
 * Rows that this process read or wrote last. Safe because the process owns the file alone and records are immutable: an
 * entry changes only after the commit that changed its row. Bounded by number and by weight; what was put longest ago
 * goes first.
 *
 * Two generations instead of one ordered map: a map that is always deleted from at its front makes every deletion walk
 * over the places of those before it.
 */
export class RowCache<Record extends { readonly id: string }> {
  readonly #perGeneration: number;
  readonly #largePart: (record: Record) => object | null;
  #young = new Map<string, Record>();
  #old = new Map<string, Record>();
  /** Of the young generation. A row that is put again counts again: it is a bound, not a measure. */
  #weight = 0;

  /**
   * @param limit rows at most; at least half as many of the last ones are kept, unless they are heavy
   * @param largePart what of a row can be large, if anything
   */
  constructor(limit: number, largePart: (record: Record) => object | null = () => null) {
    this.#perGeneration = limit / 2;
    this.#largePart = largePart;
  }

  get(id: string): Record | undefined {
    return this.#young.get(id) ?? this.#old.get(id);
  }

  put(record: Record): void {
    this.#young.set(record.id, record);
    const large = this.#largePart(record);
    if (large !== null) this.#weight += weightOf(large);
    if (this.#young.size < this.#perGeneration && this.#weight < MAX_WEIGHT) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#weight = 0;
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#weight = 0;
  }
}

/** A part of a record goes from one version of the record to the next as it is, so it is weighed once. */
const weights = new WeakMap<object, number>();

function weightOf(part: object): number {
  let weight = weights.get(part);
  if (weight === undefined) {
    weight = JSON.stringify(part).length;
    weights.set(part, weight);
  }
  return weight;
}
