import type { Table } from "../rows/index.ts";
import { RowCache } from "./cache.ts";
import type { Database, Row, Statement } from "./driver.ts";

export function insertInto({ name, columns }: Pick<Table<never>, "name" | "columns">): string {
  const names = Object.keys(columns);
  return `INSERT INTO ${name} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`;
}

/** One table: read by key through the cache, insert, update. Statements are prepared once. */
export class TableAccess<Record extends { readonly id: string }> {
  readonly #table: Table<Record>;
  readonly #get: Statement;
  readonly #insert: Statement;
  readonly #update: Statement;
  readonly cache: RowCache<Record>;

  constructor(database: Database, table: Table<Record>, cached: number) {
    const [key, ...others] = Object.keys(table.columns);
    this.#table = table;
    this.cache = new RowCache(cached);
    this.#get = database.prepare(`SELECT * FROM ${table.name} WHERE ${key} = ?`);
    this.#insert = database.prepare(insertInto(table));
    const assignments = others.map((column, index) => `${column} = ?${index + 2}`);
    this.#update = database.prepare(`UPDATE ${table.name} SET ${assignments.join(", ")} WHERE ${key} = ?1`);
  }

  get(id: string): Record | undefined {
    const cached = this.cache.get(id);
    if (cached !== undefined) return cached;
    const row = this.#get.get(id) as Row | undefined;
    if (row === undefined) return undefined;
    const record = this.#table.record(row);
    this.cache.put(record);
    return record;
  }

  insert(record: Record): void {
    this.#insert.run(...this.#table.values(record));
  }

  update(record: Record): void {
    const result = this.#update.run(...this.#table.values(record));
    if (result.changes !== 1) throw new Error(`${this.#table.name} ${record.id} is gone`);
  }
}
