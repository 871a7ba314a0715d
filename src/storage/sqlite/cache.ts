/**
 * Rows that this process read or wrote last. Safe because the process owns the file alone and records are immutable: an
 * entry changes only after the commit that changed its row. Bounded; what was put longest ago goes first.
 *
 * Two generations instead of one ordered map: a map that is always deleted from at its front makes every deletion walk
 * over the places of those before it.
 */
export class RowCache<Record extends { readonly id: string }> {
  readonly #perGeneration: number;
  #young = new Map<string, Record>();
  #old = new Map<string, Record>();

  /** @param limit rows at most; at least half as many of the last ones are kept */
  constructor(limit: number) {
    this.#perGeneration = limit / 2;
  }

  get(id: string): Record | undefined {
    return this.#young.get(id) ?? this.#old.get(id);
  }

  put(record: Record): void {
    this.#young.set(record.id, record);
    if (this.#young.size < this.#perGeneration) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
