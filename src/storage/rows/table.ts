import type { Metadata } from "../../core/records.ts";

/** What a column holds. `integer` has 64 bits; `boolean` is 0 or 1 on its way in and out; `json` is kept as its text. */
export type ColumnType = "text" | "integer" | "boolean" | "json";
export type Value = null | number | string;
export type Row = Readonly<Record<string, Value>>;

/**
 * How a record type is kept: its table, its columns with the value of each, and the way back. The same for every
 * database; column names stand here and in the migrations, nowhere else.
 */
export interface Table<Record> {
  readonly name: string;
  /** In the order of `values`. The first is the id. */
  readonly columns: Readonly<{ [column: string]: ColumnType }>;
  values(record: Record): Value[];
  record(row: Row): Record;
}

/** The columns that callers can fill at length. */
export const jsonColumns = ({ columns }: Pick<Table<never>, "columns">): readonly string[] =>
  Object.keys(columns).filter((column) => columns[column] === "json");

const NO_METADATA: Metadata = {};
const EMPTY = "{}";

export function writeMetadata(metadata: Metadata): string {
  for (const _ in metadata) return JSON.stringify(metadata);
  return EMPTY;
}

export const readMetadata = (text: Value | undefined): Metadata =>
  text === EMPTY ? NO_METADATA : JSON.parse(text as string);
