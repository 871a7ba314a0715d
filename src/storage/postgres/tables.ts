import type { EventRecord, SessionRecord } from "../../core/records.ts";
import {
  AGENT,
  AGENT_VERSION,
  ENVIRONMENT,
  EVENT,
  SESSION,
  type Table,
  TOKEN,
  type Value,
  WORK,
} from "../rows/index.ts";
import { columnsOf, SQL_TYPES } from "./arrays.ts";
import type { Sql } from "./sql.ts";

/** Most statements per table that name some of its columns. Each stays prepared on each connection. */
const MAX_STATEMENTS = 48;
/** The place of the id in a row. */
const ID = 0;

/** The columns of one row. */
export type Values = readonly Value[];

/** A row that is there, and what becomes of it. */
export interface Change {
  readonly before: Values;
  readonly after: Values;
}

interface Statement {
  readonly sql: Sql;
  /** One parameter for each column. */
  readonly values: string[];
}

/** A column that only exists to be searched by: its value follows from the record. */
type Derived<Record> = Readonly<{ [column: string]: (record: Record) => Value }>;

/** How one table is read and written: many rows with one statement. */
export class PgTable<Record extends { readonly id: string }> {
  readonly table: Table<Record>;
  /** The columns that make a record, for a SELECT. */
  readonly columns: (alias: string) => string;
  readonly #columns: readonly string[];
  readonly #types: readonly string[];
  readonly #derived: readonly ((record: Record) => Value)[];
  readonly #all: readonly number[];
  /** Places of the columns that do not change in a row's everyday life: they are long, or hardly ever change. */
  readonly #rare: readonly number[];
  readonly #into: string;
  /** Statements that name some of the columns, by what they do and which these are. */
  readonly #some = new Map<string, Sql>();
  readonly insertSql: Sql;
  readonly updateSql: Sql;

  constructor(
    schema: string,
    table: Table<Record>,
    everyday: readonly string[],
    derived: Derived<Record> = {},
    name = table.name,
  ) {
    const columns = Object.entries(table.columns);
    this.table = table;
    this.columns = (alias) => columns.map(([column]) => `${alias}.${column}`).join(", ");
    this.#columns = [...columns.map(([column]) => column), ...Object.keys(derived)];
    this.#types = [...columns.map(([, type]) => SQL_TYPES[type]), ...Object.keys(derived).map(() => "text")];
    this.#derived = Object.values(derived);
    this.#all = this.#columns.map((_, index) => index);
    this.#rare = this.#all.filter((index) => index !== ID && !everyday.includes(this.#columns[index] as string));
    this.#into = `${schema}.${name}`;
    this.insertSql = { name: `insert_${name}`, text: this.#insert(this.#all) };
    this.updateSql = { name: `update_${name}`, text: this.#update(this.#all) };
  }

  /** A row as it is kept: what the methods below take. */
  row(record: Record): Values {
    const values = this.table.values(record);
    for (const derive of this.#derived) values.push(derive(record));
    return values;
  }

  /** A statement for new rows, without the columns that none of them has a value for: most of a new row's have none. */
  insertOf(rows: readonly Values[]): Statement {
    const columns = this.#all.filter((index) => rows.some((row) => row[index] !== null));
    const sql = this.#of(this.insertSql, columns, (some) => this.#insert(some));
    return { sql, values: columnsOf(rows, sql === this.insertSql ? this.#all : columns) };
  }

  /** A statement for changed rows with the columns that any of them has changed, or `undefined` where none has. */
  updateOf(changes: readonly Change[]): Statement | undefined {
    const changed = this.#all.filter((index) => changes.some(({ before, after }) => before[index] !== after[index]));
    if (changed.length === 0) return undefined;
    const columns = [ID, ...changed];
    const sql = this.#of(this.updateSql, columns, (some) => this.#update(some));
    const rows = changes.map(({ after }) => after);
    return { sql, values: columnsOf(rows, sql === this.updateSql ? this.#all : columns) };
  }

  /** The statement for some columns, or for all where there are many such statements already. */
  #of(whole: Sql, columns: readonly number[], text: (columns: readonly number[]) => string): Sql {
    const key = `${whole.name} ${columns.join()}`;
    const known = this.#some.get(key);
    if (known !== undefined) return known;
    if (this.#some.size === MAX_STATEMENTS) return whole;
    const sql = { name: `${whole.name}_${this.#some.size + 1}`, text: text(columns) };
    this.#some.set(key, sql);
    return sql;
  }

  insertValues(rows: readonly Values[]): string[] {
    return columnsOf(rows, this.#all);
  }

  /** Whether a change stays within the everyday columns. */
  isEveryday({ before, after }: Change): boolean {
    return this.#rare.every((index) => before[index] === after[index]);
  }

  #insert(indexes: readonly number[]): string {
    const names = this.#names(indexes);
    return `INSERT INTO ${this.#into} (${names}) SELECT ${names} FROM ${this.#given(indexes)}`;
  }

  #names(indexes: readonly number[]): string {
    return indexes.map((index) => this.#columns[index]).join(", ");
  }

  /** Arrays in FROM would each be written to a table of their own first, which costs half as much again. */
  #given(indexes: readonly number[]): string {
    const arrays = indexes.map(
      (index, place) => `unnest($${place + 1}::${this.#types[index]}[]) AS ${this.#columns[index]}`,
    );
    return `(SELECT ${arrays.join(", ")}) AS given`;
  }

  #update(indexes: readonly number[]): string {
    const changed = indexes.filter((index) => index !== ID).map((index) => this.#columns[index]);
    const assignments = changed.map((column) => `${column} = given.${column}`);
    return `UPDATE ${this.#into} AS kept SET ${assignments.join(", ")} FROM ${this.#given(indexes)} WHERE kept.id = given.id`;
  }
}

const agentIdOf = ({ agent }: SessionRecord): string | null => (typeof agent?.id === "string" ? agent.id : null);
const toolUseIdOf = ({ type, payload }: EventRecord): string | null =>
  type === "user.tool_result" ? String(payload.tool_use_id) : null;

const EVERYDAY_WORK = Object.keys(WORK.columns).filter(
  (column) => !["id", "environment_id", "session_id", "metadata", "created_at"].includes(column),
);
const EVERYDAY_SESSION = [
  "status",
  "live_work_id",
  "last_event_id",
  "last_input_id",
  "last_agent_event_id",
  "processed_through",
  "cancelled_through",
  "active_micros",
  "active_since",
  "updated_at",
];

export type PgTables = ReturnType<typeof tablesIn>;

/** @param schema quoted where that is needed */
export const tablesIn = (schema: string) => ({
  environment: new PgTable(schema, ENVIRONMENT, []),
  session: new PgTable(schema, SESSION, EVERYDAY_SESSION, { agent_id: agentIdOf }),
  /** The part that the queue works on. */
  work: new PgTable(schema, WORK, EVERYDAY_WORK, {}, "work_current"),
  retired: new PgTable(schema, WORK, [], {}, "work_retired"),
  agent: new PgTable(schema, AGENT, []),
  agentVersion: new PgTable(schema, AGENT_VERSION, []),
  event: new PgTable(schema, EVENT, [], { tool_use_id: toolUseIdOf }),
  token: new PgTable(schema, TOKEN, ["last_used_at"]),
});
