import { afterAll, beforeAll } from "vitest";
import { openPostgresStore } from "../../../src/storage/postgres/store.ts";
import { createTestPostgres, type TestPostgres } from "../../support/postgres.ts";
import type { StorageHarness } from "../conformance/harness.ts";
import { conformanceTests } from "../conformance/index.ts";

let database: TestPostgres;
let schemas = 0;
beforeAll(async () => {
  database = await createTestPostgres();
});
afterAll(() => database.drop());

const postgres: StorageHarness = {
  name: "PostgreSQL",
  kind: "postgres",
  shared: true,
  async create() {
    const schema = `test ${++schemas}`;
    return {
      open: (clock) => openPostgresStore({ url: database.url, schema, clock }),
      async run(sql) {
        await database.sql(`SET search_path TO "${schema}"; ${sql}`);
      },
      async dispose() {
        await database.sql(`DROP SCHEMA "${schema}" CASCADE`);
      },
    };
  },
};

conformanceTests(postgres);
