import { existsSync } from "node:fs";
import { join } from "node:path";
import { StoreRefused } from "../store.ts";
import { ARCHIVED, type ArchivedTable, Chunk, type Counts, type StoreArchive } from "../transfer.ts";
import { closeFile, type Row, type Statement } from "./driver.ts";
import { DATABASE_FILE, openDatabase } from "./open.ts";

/**
 * Opens the embedded store for an export or an import; no server can have it open at the same time.
 *
 * @param which whether one is made where there is none
 * @throws StoreRefused when it cannot be opened
 */
export async function openSqliteArchive(dataDir: string, which: "existing" | "any" = "any"): Promise<StoreArchive> {
  if (which === "existing" && !existsSync(join(dataDir, DATABASE_FILE))) {
    throw new StoreRefused(`The data folder ${dataDir} holds no database. Name the right one with --data-dir.`);
  }
  const { database } = await openDatabase(dataDir);
  let writing = false;
  /** An iterator of the driver does not keep its statement from the garbage collector, which may come while its rows travel. */
  const reading = new Set<Statement>();
  return {
    name: join(dataDir, DATABASE_FILE),
    async counts() {
      const counts = Object.keys(ARCHIVED).map((table) => {
        const row = database.prepare(`SELECT count(*) AS n FROM ${table}`).get() as Row;
        return [table, row.n] as const;
      });
      return Object.fromEntries(counts) as Counts;
    },
    async *read(table: ArchivedTable) {
      const chunk = new Chunk<Row>();
      const columns = Object.keys(ARCHIVED[table].columns).join(", ");
      const statement = database.prepare(`SELECT ${columns} FROM ${table}`);
      reading.add(statement);
      for (const row of statement.iterate() as Iterable<Row>) {
        const bytes = lengthOf(row);
        if (chunk.isFullFor(bytes)) yield chunk.take();
        chunk.add(row, bytes);
      }
      reading.delete(statement);
      yield chunk.take();
    },
    async write(table: ArchivedTable, rows: readonly Row[]) {
      if (!writing) database.exec("BEGIN IMMEDIATE");
      writing = true;
      const columns = Object.keys(ARCHIVED[table].columns);
      const insert = database.prepare(
        `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
      );
      for (const row of rows) insert.run(...columns.map((column) => row[column] ?? null));
    },
    async commit() {
      if (writing) database.exec("COMMIT");
      writing = false;
    },
    async close() {
      if (writing) database.exec("ROLLBACK");
      closeFile(database);
    },
  };
}

function lengthOf(row: Row): number {
  let length = 0;
  for (const value of Object.values(row)) if (typeof value === "string") length += value.length;
  return length;
}
