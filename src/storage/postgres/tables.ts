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
  /** Places of the columns that change in a row's everyday life; the others are long, or hardly ever change. */
  readonly #everyday: readonly number[];
  readonly #rare: readonly number[];
  readonly #all: readonly number[];
  readonly insertSql: Sql;
  readonly updateSql: Sql;
  readonly updateAllSql: Sql;

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
    this.#everyday = ["id", ...everyday].map((column) => this.#columns.indexOf(column));
    this.#all = this.#columns.map((_, index) => index);
    this.#rare = this.#all.filter((index) => !this.#everyday.includes(index));
    const into = `${schema}.${name}`;
    const all = this.#all;
    this.insertSql = {
      name: `insert_${name}`,
      text: `INSERT INTO ${into} (${this.#names(all)}) SELECT ${this.#names(all)} FROM ${this.#given(all)}`,
    };
    this.updateSql = { name: `update_${name}`, text: this.#update(into, this.#everyday) };
    this.updateAllSql = { name: `update_all_${name}`, text: this.#update(into, all) };
  }

  /** A row as it is kept: what the methods below take. */
  row(record: Record): readonly Value[] {
    const values = this.table.values(record);
    for (const derive of this.#derived) values.push(derive(record));
    return values;
  }

  insertValues(rows: readonly (readonly Value[])[]): string[] {
    return columnsOf(rows, this.#all);
  }

  updateAllValues(rows: readonly (readonly Value[])[]): string[] {
    return columnsOf(rows, this.#all);
  }

  updateValues(rows: readonly (readonly Value[])[]): string[] {
    return columnsOf(rows, this.#everyday);
  }

  /** Whether a change stays within the everyday columns. */
  isEveryday(before: readonly Value[], after: readonly Value[]): boolean {
    return this.#rare.every((index) => before[index] === after[index]);
  }

  #names(indexes: readonly number[]): string {
    return indexes.map((index) => this.#columns[index]).join(", ");
  }

  #given(indexes: readonly number[]): string {
    const arrays = indexes.map((index, place) => `$${place + 1}::${this.#types[index]}[]`);
    return `unnest(${arrays.join(", ")}) AS given (${this.#names(indexes)})`;
  }

  #update(into: string, indexes: readonly number[]): string {
    const changed = indexes.map((index) => this.#columns[index]).filter((column) => column !== "id");
    const assignments = changed.map((column) => `${column} = given.${column}`);
    return `UPDATE ${into} AS kept SET ${assignments.join(", ")} FROM ${this.#given(indexes)} WHERE kept.id = given.id`;
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
