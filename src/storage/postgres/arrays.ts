import type { ColumnType, Value } from "../rows/index.ts";

/** PostgreSQL's type for what a column holds. */
export const SQL_TYPES: Readonly<Record<ColumnType, string>> = {
  text: "text",
  integer: "bigint",
  boolean: "boolean",
  json: "json",
};

const NEEDS_ESCAPE = /["\\]/;
const ESCAPED = /["\\]/g;

/**
 * A column of many rows as one parameter, in the text form of a PostgreSQL array. Rows travel column by column, so that a
 * statement has the same text and the same number of parameters for one row and for five hundred.
 */
export function arrayOf(values: readonly Value[]): string {
  let text = "{";
  for (let index = 0; index < values.length; index++) {
    if (index > 0) text += ",";
    const value = values[index] as Value;
    if (value === null) text += "NULL";
    else if (typeof value === "number") text += value;
    else text += NEEDS_ESCAPE.test(value) ? `"${value.replace(ESCAPED, "\\$&")}"` : `"${value}"`;
  }
  return `${text}}`;
}

/** The columns of rows that are given one by one. */
export function columnsOf(rows: readonly (readonly Value[])[], width: number): string[] {
  const columns: string[] = [];
  for (let column = 0; column < width; column++) columns.push(arrayOf(rows.map((row) => row[column] as Value)));
  return columns;
}
