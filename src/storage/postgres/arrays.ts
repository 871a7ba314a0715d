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

/** Many values as one parameter, in the text form of a PostgreSQL array. */
export function arrayOf(values: readonly Value[]): string {
  let text = "{";
  for (let index = 0; index < values.length; index++) text += separated(index, values[index] as Value);
  return `${text}}`;
}

/**
 * Columns of rows, each as one parameter. Rows travel column by column, so that a statement has the same text and the same
 * number of parameters for one row and for five hundred.
 *
 * @param columns places in the rows
 */
export function columnsOf(rows: readonly (readonly Value[])[], columns: readonly number[]): string[] {
  return columns.map((column) => {
    let text = "{";
    for (let index = 0; index < rows.length; index++) {
      text += separated(index, (rows[index] as readonly Value[])[column] as Value);
    }
    return `${text}}`;
  });
}

function separated(index: number, value: Value): string {
  return index === 0 ? elementOf(value) : `,${elementOf(value)}`;
}

function elementOf(value: Value): string {
  if (value === null) return "NULL";
  if (typeof value === "number") return String(value);
  return NEEDS_ESCAPE.test(value) ? `"${value.replace(ESCAPED, "\\$&")}"` : `"${value}"`;
}
