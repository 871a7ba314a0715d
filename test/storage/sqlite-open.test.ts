import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readMigrations } from "../../src/storage/migrate.ts";
import { closeFile, openFile } from "../../src/storage/sqlite/driver.ts";
import { DATABASE_FILE, openDatabase } from "../../src/storage/sqlite/open.ts";
import { openSqliteStore } from "../../src/storage/sqlite/store.ts";
import { StoreRefused } from "../../src/storage/store.ts";

describe("opening a data folder", () => {
  let dataDir: string;
  const file = () => join(dataDir, DATABASE_FILE);
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "capstan-open-"));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  const refused = async (folder = dataDir): Promise<string> => {
    const error = await openSqliteStore({ dataDir: folder }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StoreRefused);
    return (error as StoreRefused).message;
  };

  it("makes it, for its owner alone, and every commit is synced to the disk", async () => {
    const folder = join(dataDir, "new", "folder");
    const { database, schema } = await openDatabase(folder);
    expect(schema).toBe(readMigrations("sqlite").length);
    expect(database.prepare("PRAGMA synchronous").get()).toEqual({ synchronous: 2 });
    expect(database.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    expect((await stat(join(folder, `${DATABASE_FILE}-wal`))).mode & 0o777).toBe(0o600);
    closeFile(database);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, DATABASE_FILE))).mode & 0o777).toBe(0o600);
  });

  it("is refused to a second server while the first one runs, and granted once that has stopped", async () => {
    const first = await openSqliteStore({ dataDir });
    expect(await refused()).toMatch(/^A server uses the data folder .*\. Stop it first, or name another folder/);
    await first.close();
    const second = await openSqliteStore({ dataDir });
    await second.close();
  });

  it("is refused when a newer program wrote it", async () => {
    await (await openSqliteStore({ dataDir })).close();
    const database = await openFile(file());
    database.exec("PRAGMA user_version = 999");
    closeFile(database);
    const known = readMigrations("sqlite").length;
    expect(await refused()).toContain(`has schema version 999, and this program knows versions up to ${known}.`);
  });

  it("is refused when the file is something else", async () => {
    await writeFile(file(), "this is a diary, not a database, and it is longer than a header of SQLite would be");
    expect(await refused()).toMatch(/is damaged or not a Capstan database\. Restore a backup, or move it away\.$/);
  });

  it("is refused when the path leads through a file", async () => {
    await writeFile(join(dataDir, "file"), "");
    expect(await refused(join(dataDir, "file", "folder"))).toMatch(/cannot be used \(ENOTDIR\)\./);
  });

  it("is refused, and does not hang, where the system has no folders to give", async () => {
    expect(await refused("/proc/capstan/data")).toMatch(/cannot be used \(ENOENT\)\./);
  });
});
