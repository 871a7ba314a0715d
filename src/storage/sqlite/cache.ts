/**
 * Rows that this process read or wrote last. Safe because the process owns the file alone and records are immutable: an
 * entry changes only after the commit that changed its row. Bounded; what was put longest ago goes first.
 */
export class RowCache<Record extends { readonly id: string }> {
  readonly #limit: number;
  readonly #rows = new Map<string, Record>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(id: string): Record | undefined {
    return this.#rows.get(id);
  }

  put(record: Record): void {
    this.#rows.delete(record.id);
    this.#rows.set(record.id, record);
    if (this.#rows.size <= this.#limit) return;
    for (const oldest of this.#rows.keys()) {
      this.#rows.delete(oldest);
      return;
    }
  }

  clear(): void {
    this.#rows.clear();
  }
}
