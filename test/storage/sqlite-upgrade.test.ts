import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newSession } from "../../src/core/turn.ts";
import { readMigrations } from "../../src/storage/migrate.ts";
import { SESSION } from "../../src/storage/rows/index.ts";
import { closeFile, openFile, type Row } from "../../src/storage/sqlite/driver.ts";
import { DATABASE_FILE, openDatabase } from "../../src/storage/sqlite/open.ts";
import { insertInto } from "../../src/storage/sqlite/tables.ts";

/** What SQLite keeps of a schema, without the names that a table had on the way to it. */
const SCHEMA = "SELECT type, name, tbl_name FROM sqlite_schema ORDER BY type, name";

describe("a database of the first schema", () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "capstan-upgrade-"));
  });
  afterEach(() => rm(dataDir, { recursive: true }));

  it("is brought up to date with every session as it was", async () => {
    const fields = { environmentId: "env_1", agent: { id: "agent_1", name: "a" }, title: "t\0", metadata: { k: "v" } };
    const sessions = ["sess_3", "sess_1", "sess_2"].map((id) => newSession(id, fields, 7));
    const old = await openFile(join(dataDir, DATABASE_FILE));
    const [first] = readMigrations("sqlite");
    old.exec(`${first?.sql}; PRAGMA user_version = 1`);
    const insert = old.prepare(insertInto(SESSION));
    for (const session of sessions) insert.run(...SESSION.values(session));
    const before = old.prepare(SCHEMA).all();
    closeFile(old);

    const { database, schema } = await openDatabase(dataDir);
    expect(schema).toBe(readMigrations("sqlite").length);
    const kept = database.prepare("SELECT * FROM session ORDER BY id").all() as Row[];
    expect(kept.map((row) => SESSION.record(row))).toEqual(sessions.sort((a, b) => (a.id < b.id ? -1 : 1)));
    expect(kept[0]?.agent_id).toBe("agent_1");

    // A table that is built anew takes its indexes with it.
    expect(database.prepare(SCHEMA).all()).toEqual(expect.arrayContaining(before));
    const fresh = await openDatabase(join(dataDir, "fresh"));
    expect(database.prepare(SCHEMA).all()).toEqual(fresh.database.prepare(SCHEMA).all());
    closeFile(fresh.database);
    closeFile(database);
  });
});
