import { PAGE_BYTES } from "../../core/page.ts";
import { jsonColumns } from "../rows/index.ts";
import type { PgTable } from "./tables.ts";

/** Rows in the order of one index, no more of them than a limit. */
export interface Scan {
  readonly from: string;
  /** The column that orders them: the database finds them by it, and none comes twice. */
  readonly key: string;
  readonly direction: "ASC" | "DESC";
  /** A parameter. */
  readonly limit: string;
}

/**
 * The first rows of a scan, up to the one with which they exceed `PAGE_BYTES`: one at least. What comes behind it stays in the
 * database. Each row has `next`, the key of the one after it, `null` for the scan's last: so whoever gets fewer rows than
 * he asked for knows whether there are more.
 *
 * How long a value is, is known only once it is unpacked, but not less than what is stored of it. So what is surely too much
 * by that is left alone, and only the rest is unpacked to be measured, row by row.
 */
export function withinBytes<Record extends { readonly id: string }>(
  { table, columns }: Pick<PgTable<Record>, "table" | "columns">,
  { from, key, direction, limit }: Scan,
): string {
  const scan = `SELECT ${columns("kept")} FROM ${from} ORDER BY kept.${key} ${direction} LIMIT ${limit}`;
  const size = (of: (column: string) => string): string =>
    ["0", ...jsonColumns(table).map((column) => `coalesce(${of(`kept.${column}`)}, 0)`)].join(" + ");
  const before = `WINDOW before AS (ORDER BY kept.${key} ${direction} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)`;
  return `SELECT ${columns("kept")}, kept.next FROM (
      SELECT kept.*, sum(${size((column) => `octet_length(${column}::text)`)}) OVER before AS bytes FROM (
        SELECT kept.*, sum(${size((column) => `pg_column_size(${column})`)}) OVER before AS stored,
          lead(kept.${key}) OVER before AS next
        FROM (${scan}) AS kept ${before}) AS kept
      WHERE coalesce(kept.stored, 0) <= ${PAGE_BYTES} ${before}) AS kept
    WHERE coalesce(kept.bytes, 0) <= ${PAGE_BYTES} ORDER BY kept.${key} ${direction}`;
}
