import type { Row, Table } from "../rows/index.ts";

/** Rows of one table as they came from the database; a record is made of one when somebody asks for it. */
export class Rows<Record extends { readonly id: string }> {
  readonly #table: Table<Record>;
  readonly #rows = new Map<string, Row>();
  readonly #records = new Map<string, Record>();
  readonly #locked = new Set<string>();

  constructor(table: Table<Record>) {
    this.#table = table;
  }

  /** What was locked first is not overwritten by what was merely read. */
  add(rows: readonly Row[], locked: boolean): void {
    for (const row of rows) {
      const id = row.id as string;
      if (!locked && this.#rows.has(id)) continue;
      this.#rows.set(id, row);
      this.#records.delete(id);
      if (locked) this.#locked.add(id);
    }
  }

  get(id: string): Record | undefined {
    const known = this.#records.get(id);
    if (known !== undefined) return known;
    const row = this.#rows.get(id);
    if (row === undefined) return undefined;
    const record = this.#table.record(row);
    this.#records.set(id, record);
    return record;
  }

  has(id: string): boolean {
    return this.#rows.has(id);
  }

  isLocked(id: string): boolean {
    return this.#locked.has(id);
  }
}
