import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeFile, openFile } from "../../src/storage/sqlite/driver.ts";
import { DATABASE_FILE } from "../../src/storage/sqlite/open.ts";
import { openSqliteStore } from "../../src/storage/sqlite/store.ts";
import type { StorageHarness } from "./conformance/harness.ts";
import { conformanceTests } from "./conformance/index.ts";

const sqlite: StorageHarness = {
  name: "SQLite",
  kind: "sqlite",
  shared: false,
  inOrder: true,
  async create() {
    const dataDir = await mkdtemp(join(tmpdir(), "capstan-sqlite-"));
    return {
      open: (clock) => openSqliteStore(clock === undefined ? { dataDir } : { dataDir, clock }),
      async run(sql) {
        const database = await openFile(join(dataDir, DATABASE_FILE));
        try {
          database.exec(sql);
        } finally {
          closeFile(database);
        }
      },
      dispose: () => rm(dataDir, { recursive: true, force: true }),
    };
  },
};

conformanceTests(sqlite);
