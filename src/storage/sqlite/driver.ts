import type { DatabaseSync } from "@photostructure/sqlite";

export type Database = InstanceType<typeof DatabaseSync>;
export type Statement = ReturnType<Database["prepare"]>;
export type { Row, Value } from "../rows/index.ts";

type Driver = { DatabaseSync: typeof DatabaseSync };

/**
 * Node's own SQLite where it is stable, else a package with the same API whose binaries are part of the package, so that
 * an install needs neither a compiler nor a download.
 */
async function loadDriver(): Promise<Driver> {
  const major = Number(process.versions.node.split(".")[0]);
  const name = major >= 24 ? "node:sqlite" : "@photostructure/sqlite";
  return (await import(name)) as Driver;
}

/** Opens a file, or makes it. One that someone else has locked is an error at once, not after a wait. */
export async function openFile(file: string): Promise<Database> {
  const { DatabaseSync } = await loadDriver();
  return new DatabaseSync(file, { timeout: 0 });
}

/**
 * Closes a file and gives its lock up. A connection lives on, locks included, until the last statement that was prepared
 * on it is gone, and the package leaves those to the garbage collector: a server in a process that goes on would keep
 * its data folder locked long after it has stopped. The lock can only be dropped outside of WAL mode.
 */
export function closeFile(database: Database): void {
  try {
    database.exec("PRAGMA journal_mode = DELETE");
    database.exec("PRAGMA locking_mode = NORMAL");
    database.exec("SELECT count(*) FROM sqlite_schema");
  } finally {
    database.close();
  }
}

/** Primary result codes (https://www.sqlite.org/rescode.html): the low byte of what the driver reports. */
export const SQLITE = {
  busy: 5,
  readonly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

export function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}
