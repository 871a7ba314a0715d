import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { newSession, newWork } from "../../src/core/turn.ts";
import { type Loaded, noNeeds, Unit } from "../../src/core/unit.ts";
import { SqliteBackend } from "../../src/storage/sqlite/backend.ts";
import { closeFile } from "../../src/storage/sqlite/driver.ts";
import { openDatabase } from "../../src/storage/sqlite/open.ts";

it("a change of a row that the file does not hold fails as a whole, and what is kept in memory is forgotten", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "capstan-sqlite-"));
  const { database } = await openDatabase(dataDir);
  try {
    const backend = new SqliteBackend(database, { now: () => 1 });
    const session = newSession("sess_1", { environmentId: "env_1", agent: null, title: null, metadata: {} }, 1);
    const lost = newWork("work_1", session, 1);
    backend.works.cache.put(lost);
    const decide = (loaded: Loaded) => {
      const unit = new Unit(loaded, () => "");
      unit.putSession(session, true);
      unit.putWork({ ...lost, deliveredAt: 1 });
      return unit.changes();
    };
    expect(() => backend.transact(noNeeds(), decide)).toThrow("1 of 2 rows that were to be written are gone");
    expect(database.isTransaction).toBe(false);
    expect(backend.works.get(lost.id)).toBeUndefined();
    expect(backend.sessions.get(session.id)).toBeUndefined();
  } finally {
    closeFile(database);
    await rm(dataDir, { recursive: true });
  }
});
