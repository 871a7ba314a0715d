import { afterAll, beforeAll, expect, test } from "vitest";
import { type ConnectionOptions, Connections } from "../../../src/storage/postgres/connection.ts";
import { POSTGRES_LIMITS } from "../../../src/storage/postgres/options.ts";
import { Reading } from "../../../src/storage/postgres/reading.ts";
import { StoreUnavailable } from "../../../src/storage/store.ts";
import { createTestPostgres, type TestPostgres } from "../../support/postgres.ts";

let postgres: TestPostgres;
let reading: Reading;
beforeAll(async () => {
  postgres = await createTestPostgres();
  await postgres.sql("CREATE TABLE slow AS SELECT n FROM generate_series(1, 10) AS n");
  reading = new Reading(options());
});
afterAll(async () => {
  await reading.close();
  await postgres.drop();
});

const options = (): ConnectionOptions => ({
  url: postgres.url,
  prepare: true,
  limits: { ...POSTGRES_LIMITS, poolSize: 3, maxBatches: 2, statementTimeoutMs: 200, answerTimeoutMs: 2_000 },
});
const pid = async () => (await reading.query("SELECT pg_backend_pid() AS pid", []))[0]?.pid;
const SLEEPING = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%FROM slow%' AND state = 'active'";

test("a read that takes too long is ended by the server, and its connection goes on", async () => {
  const before = await pid();
  const failed = reading.query("SELECT pg_sleep(60) FROM slow WHERE n = $1", [1]);
  await expect(failed).rejects.toThrow(StoreUnavailable);
  await expect(failed).rejects.toMatchObject({ cause: { code: "57014" } });
  const [row] = await postgres.sql(`${SLEEPING} AND pid <> pg_backend_pid()`);
  expect(row).toEqual({ n: 0 });
  expect(await pid()).toBe(before);
});

test("reads take no more connections of the server than there are, however many of them take too long", async () => {
  const calls = Array.from({ length: 6 }, () =>
    reading.query("SELECT pg_sleep(60) FROM slow", []).catch(() => undefined),
  );
  let most = 0;
  let over = false;
  const all = Promise.all(calls).then(() => {
    over = true;
  });
  while (!over) {
    const [row] = await postgres.sql<{ n: number }>(`${SLEEPING} AND pid <> pg_backend_pid()`);
    most = Math.max(most, row?.n ?? 0);
  }
  await all;
  expect(most).toBe(1);
});

test("the time that a read may take is set for its own transaction only, as a pooler between needs it", async () => {
  const connections = new Connections(options(), 1);
  const inside = await connections.query("SELECT current_setting('statement_timeout') AS timeout", []);
  const outside = await connections.use((client) => client.query("SHOW statement_timeout"));
  expect([inside, outside.rows]).toEqual([[{ timeout: "200ms" }], [{ statement_timeout: "0" }]]);
  await connections.close();
});
