import type { Table, Value } from "../rows/index.ts";
import { RowCache } from "./cache.ts";
import type { Database, Row, Statement } from "./driver.ts";

/** Prepared statements per table. State changes need a few dozen; whatever goes beyond is prepared anew each time. */
const MAX_SHAPES = 128;
/** A set of columns is kept as the bits of a 32-bit integer. */
const MAX_COLUMNS = 31;

export const insertInto = ({ name, columns }: Pick<Table<never>, "name" | "columns">): string =>
  insertColumns(name, Object.keys(columns));

const insertColumns = (name: string, columns: readonly string[]): string =>
  `INSERT INTO ${name} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;

/**
 * One table: read by key through the cache, insert, update. A statement names only the columns that have something to
 * say: an index that no named column belongs to is not touched, nor is a CHECK evaluated again.
 */
export class TableAccess<Record extends { readonly id: string }> {
  readonly #database: Database;
  readonly #table: Table<Record>;
  readonly #columns: readonly string[];
  readonly #get: Statement;
  /** By the set of columns that are named, one bit for each. */
  readonly #inserts = new Map<number, Statement>();
  readonly #updates = new Map<number, Statement>();
  readonly cache: RowCache<Record>;

  constructor(database: Database, table: Table<Record>, cached: number, largePart?: (record: Record) => object | null) {
    this.#database = database;
    this.#table = table;
    this.#columns = Object.keys(table.columns);
    if (this.#columns.length > MAX_COLUMNS) throw new Error(`${table.name} has more than ${MAX_COLUMNS} columns`);
    this.cache = new RowCache(cached, largePart);
    this.#get = database.prepare(`SELECT * FROM ${table.name} WHERE ${this.#columns[0]} = ?`);
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
    const values = this.#table.values(record);
    const given: Value[] = [];
    let shape = 0;
    for (let index = 0; index < values.length; index++) {
      const value = values[index] as Value;
      if (value === null) continue;
      given.push(value);
      shape |= 1 << index;
    }
    const statement = this.#statement(this.#inserts, shape, (named) => insertColumns(this.#table.name, named));
    // Of a statement without rows, `get` costs less than `run`, which makes an object of what it did.
    statement.get(...given);
  }

  /** Returns whether there was anything to write; that the row was there is for the caller to see. */
  update(record: Record): boolean {
    const values = this.#table.values(record);
    const committed = this.cache.get(record.id);
    const before = committed && this.#table.values(committed);
    const given: Value[] = [record.id];
    let shape = 0;
    for (let index = 1; index < values.length; index++) {
      const value = values[index] as Value;
      if (before !== undefined && before[index] === value) continue;
      given.push(value);
      shape |= 1 << index;
    }
    if (shape === 0) return false;
    const { name } = this.#table;
    const statement = this.#statement(this.#updates, shape, (named) => {
      const assignments = named.map((column, index) => `${column} = ?${index + 2}`);
      return `UPDATE ${name} SET ${assignments.join(", ")} WHERE ${this.#columns[0]} = ?1`;
    });
    statement.get(...given);
    return true;
  }

  #statement(known: Map<number, Statement>, shape: number, sql: (named: string[]) => string): Statement {
    let statement = known.get(shape);
    if (statement === undefined) {
      statement = this.#database.prepare(sql(this.#columns.filter((_, index) => shape & (1 << index))));
      if (known.size < MAX_SHAPES) known.set(shape, statement);
    }
    return statement;
  }
}
