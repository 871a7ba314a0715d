import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openPostgresStore } from "../../../src/storage/postgres/store.ts";
import type { Store } from "../../../src/storage/store.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestSchema } from "../../support/postgres.ts";
import { MESSAGE, POLICY, value } from "../conformance/support.ts";

let place: Awaited<ReturnType<typeof createTestSchema>>;
let store: Store;
let operator: pg.Client;
let environmentId: string;
beforeAll(async () => {
  place = await createTestSchema();
  store = await openPostgresStore({ url: place.url, schema: place.schema });
  operator = new pg.Client({ connectionString: place.url });
  await operator.connect();
  const input = { name: "q", description: "", config: {}, selfHosted: true, policy: POLICY, metadata: {} };
  environmentId = value(await store.execute("createEnvironment", input)).id;
});
afterAll(async () => {
  await operator.end();
  await store.close();
  await place.drop();
});

const queue = () =>
  store.execute("createSession", { environmentId, agent: null, title: null, metadata: {}, initialEvents: [MESSAGE] });

test("items are counted anew for everybody who asks, as long as that is quick", async () => {
  for (let count = 1; count <= 3; count++) {
    await queue();
    expect(await store.countWork()).toEqual([{ state: "queued", count }]);
  }
});

test("while a count goes on it is shared, and one that took long is told again for a while", async () => {
  await operator.query(`BEGIN; LOCK TABLE ${place.schema}.work IN ACCESS EXCLUSIVE MODE`);
  const all = Promise.all(Array.from({ length: 30 }, () => store.countWork()));
  const counting = async () => {
    // What a transaction sees of others' activity stays the same until it is told otherwise.
    await operator.query("SELECT pg_stat_clear_snapshot()");
    const { rows } = await operator.query(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%GROUP BY state' AND state = 'active'",
    );
    return rows[0].n;
  };
  await eventually(async () => expect(await counting()).toBeGreaterThan(0));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await counting()).toBe(1);
  await operator.query("COMMIT");
  const expected = [{ state: "queued", count: 3 }];
  expect(new Set((await all).map((counts) => JSON.stringify(counts)))).toEqual(new Set([JSON.stringify(expected)]));
  await queue();
  expect(await store.countWork()).toEqual(expected);
});

test("a count that failed is not kept", async () => {
  const other = await openPostgresStore({ url: place.url, schema: place.schema, statementTimeoutMs: 200 });
  await operator.query(`BEGIN; LOCK TABLE ${place.schema}.work IN ACCESS EXCLUSIVE MODE`);
  await expect(other.countWork()).rejects.toThrow("a statement took too long");
  await operator.query("COMMIT");
  expect(await other.countWork()).toEqual([{ state: "queued", count: 4 }]);
  await other.close();
});

test("items that have stopped count the same, whether they have moved out of the way or not", async () => {
  const fresh = await openPostgresStore({ url: place.url, schema: place.schema });
  const { data } = await fresh.listWork(environmentId, { limit: 2, order: "ascending" }, {});
  for (const { id: workId } of data) {
    value(await fresh.execute("stop", { environmentId, workId, force: true, workerId: null }));
  }
  expect(await fresh.retire(1, -1_000)).toBe(1);
  expect((await fresh.countWork()).toSorted((a, b) => a.count - b.count || (a.state < b.state ? -1 : 1))).toEqual([
    { state: "queued", count: 2 },
    { state: "stopped", count: 2 },
  ]);
  await fresh.close();
});
