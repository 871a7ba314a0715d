import { chmodSync, closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../folder.ts";
import { pendingMigrations, readMigrations } from "../migrate.ts";
import { StoreRefused } from "../store.ts";
import { closeFile, type Database, openFile, SQLITE, sqliteCode } from "./driver.ts";

/**
 * How much the write-ahead log holds before it is brought into the database, in pages of 4 KB. A page of the queue is
 * written by one commit after the other: the longer that waits, the more of its versions are never copied.
 */
const CHECKPOINT_PAGES = 4_000;
export const DATABASE_FILE = "capstan.db";

/**
 * Opens the database of a data folder, for this process alone, and brings its schema up to date.
 *
 * @throws StoreRefused with a sentence for the operator when that cannot be done
 */
export async function openDatabase(dataDir: string): Promise<{ database: Database; schema: number }> {
  const file = join(dataDir, DATABASE_FILE);
  let database: Database | undefined;
  try {
    // Sessions and token hashes are for the operator's eyes only.
    makeFolder(dataDir);
    // Made with these permissions before SQLite opens it: the files that SQLite puts beside it get the same.
    closeSync(openSync(file, "a", 0o600));
    database = await openFile(file);
    // EXCLUSIVE before WAL: the lock is held from the first read on, and needs no shared memory. It ends with the process.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = FULL");
    database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    database.exec("PRAGMA temp_store = MEMORY");
    database.exec("PRAGMA cache_size = -16000");
    database.exec("BEGIN IMMEDIATE; COMMIT");
    chmodSync(file, 0o600);
    return { database, schema: migrate(database, file) };
  } catch (error) {
    if (database !== undefined) closeQuietly(database);
    throw refusal(error, dataDir, file);
  }
}

/**
 * The version of the schema of a database that is there.
 *
 * @throws StoreRefused when a server is using it, or it is not readable
 */
export async function readVersion(dataDir: string): Promise<number> {
  const file = join(dataDir, DATABASE_FILE);
  let database: Database | undefined;
  try {
    database = await openFile(file);
    return versionOf(database);
  } catch (error) {
    throw refusal(error, dataDir, file);
  } finally {
    database?.close();
  }
}

const versionOf = (database: Database): number =>
  Number(database.prepare("PRAGMA user_version").get()?.user_version ?? 0);

/** The lock has to go also when the file cannot be used; why that is has been said already. */
function closeQuietly(database: Database): void {
  try {
    closeFile(database);
  } catch {
    // It is closed all the same.
  }
}

function migrate(database: Database, file: string): number {
  const migrations = readMigrations("sqlite");
  for (const migration of pendingMigrations(migrations, versionOf(database), file)) {
    database.exec("BEGIN IMMEDIATE");
    try {
      database.exec(migration.sql);
      database.exec(`PRAGMA user_version = ${migration.version}`);
      database.exec("COMMIT");
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  }
  return migrations.length;
}

function refusal(error: unknown, dataDir: string, file: string): unknown {
  if (error instanceof StoreRefused) return error;
  const cause = { cause: error };
  switch (sqliteCode(error)) {
    case SQLITE.busy:
      return new StoreRefused(
        `A server uses the data folder ${dataDir}. Stop it first, or name another folder with --data-dir.`,
        cause,
      );
    case SQLITE.full:
      return new StoreRefused(`No space is left for ${file}. Free some, then start again.`, cause);
    case SQLITE.corrupt:
    case SQLITE.notADatabase:
      return new StoreRefused(
        `${file} is damaged or not a Capstan database. Restore a backup, or move it away.`,
        cause,
      );
    case SQLITE.cannotOpen:
    case SQLITE.readonly:
    case SQLITE.ioError:
      return new StoreRefused(`${file} cannot be written. Check who owns the folder and its permissions.`, cause);
  }
  const code = (error as NodeJS.ErrnoException).code;
  if (
    code === "EACCES" ||
    code === "EPERM" ||
    code === "EROFS" ||
    code === "ENOSPC" ||
    code === "ENOTDIR" ||
    code === "ENOENT" ||
    code === "EEXIST"
  ) {
    return new StoreRefused(
      `The data folder ${dataDir} cannot be used (${code}). Check the path and its permissions.`,
      cause,
    );
  }
  return error;
}
