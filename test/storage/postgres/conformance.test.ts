import { afterAll, beforeAll } from "vitest";
import type { Clock } from "../../../src/core/clock.ts";
import { openPostgresStore } from "../../../src/storage/postgres/store.ts";
import type { Store } from "../../../src/storage/store.ts";
import { createTestPostgres, type TestPostgres } from "../../support/postgres.ts";
import type { StorageHarness } from "../conformance/harness.ts";
import { conformanceTests } from "../conformance/index.ts";
import { openSeveral } from "./several-stores.ts";

interface Place {
  readonly url: string;
  readonly schema: string;
}

let database: TestPostgres;
let schemas = 0;
beforeAll(async () => {
  database = await createTestPostgres();
});
afterAll(() => database.drop());

type Open = (place: Place, clock: Clock | undefined) => Promise<Store>;

const postgres = (name: string, inOrder: boolean, open: Open): StorageHarness => ({
  name,
  kind: "postgres",
  shared: true,
  inOrder,
  async create() {
    const schema = `test ${++schemas}`;
    return {
      open: (clock) => open({ url: database.url, schema }, clock),
      async run(sql) {
        await database.sql(`SET search_path TO "${schema}"; ${sql}`);
      },
      async dispose() {
        await database.sql(`DROP SCHEMA "${schema}" CASCADE`);
      },
    };
  },
});

conformanceTests(postgres("PostgreSQL", true, (place, clock) => openPostgresStore({ ...place, clock })));

/** None hears of another one: whatever a test finds, it finds in the database. */
const DEAF = { listenUrl: false, safetyPollDeafMs: 3_600_000 } as const;
conformanceTests(
  postgres("PostgreSQL with three servers", false, (place, clock) =>
    openSeveral(3, () => openPostgresStore({ ...place, ...DEAF, clock })),
  ),
);
