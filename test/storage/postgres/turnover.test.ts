import pg from "pg";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { openPostgresStore } from "../../../src/storage/postgres/store.ts";
import type { Store } from "../../../src/storage/store.ts";
import { createTestPostgres, type TestPostgres } from "../../support/postgres.ts";
import { MESSAGE, POLICY, value } from "../conformance/support.ts";

const ITEMS = 100_000;
const WAVE = 500;
/** Claims that are looked at more closely. */
const CLAIMS = 20;

let database: TestPostgres;
let store: Store;
let environmentId: string;
beforeAll(async () => {
  database = await createTestPostgres();
  // The look below the places, which everybody takes once in a while, is not counted here.
  store = await openPostgresStore({ url: database.url, safetyPollMs: 3_600_000 });
  const input = { name: "q", description: "", config: {}, selfHosted: true, policy: POLICY, metadata: {} };
  environmentId = value(await store.execute("createEnvironment", input)).id;
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const all = <T>(count: number, make: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, make));

/** As many items as this come into the queue, are taken and done with. */
async function turnOver(count: number): Promise<void> {
  await all(count, async () => {
    const session = { environmentId, agent: null, title: null, metadata: {}, initialEvents: [MESSAGE] };
    value(await store.execute("createSession", session));
  });
  await all(count, async () => {
    const poll = { environmentId, workerId: "w1", reclaimOlderThanMs: 5_000 };
    const workId = value(await store.execute("poll", poll))?.item.id as string;
    const target = { environmentId, workId, workerId: "w1" };
    value(await store.execute("ack", target));
    value(await store.execute("stop", { ...target, force: true }));
  });
}

/** Entries of the queue's indexes that were read so far, the dead ones included. */
async function entriesRead(): Promise<number> {
  const [row] = await database.sql<{ n: string }>(
    `SELECT sum(idx_tup_read) AS n FROM pg_stat_user_indexes
     WHERE indexrelname IN ('work_ready', 'work_delivered', 'work_delayed')`,
  );
  return Number(row?.n);
}

/** PostgreSQL's counters are written at the end of a transaction that ends a second after the last time. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  await turnOver(1);
}

test(`a forgotten transaction does not make claims read past the ${ITEMS} items that went through since`, async () => {
  const forgotten = new pg.Client({ connectionString: database.url });
  forgotten.on("error", () => undefined);
  onTestFinished(() => forgotten.end());
  await forgotten.connect();
  await forgotten.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  await forgotten.query("SELECT count(*) FROM capstan.work");
  for (let done = 0; done < ITEMS; done += WAVE) await turnOver(WAVE);
  // The margin for commits that were under way is over by then.
  await settle();
  await settle();
  const before = await entriesRead();
  for (let claim = 0; claim < CLAIMS; claim++) await turnOver(1);
  await settle();
  expect(((await entriesRead()) - before) / CLAIMS).toBeLessThan(WAVE);
}, 300_000);
