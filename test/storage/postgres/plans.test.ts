import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { settingsSql } from "../../../src/storage/postgres/backend.ts";
import { anyDeleted } from "../../../src/storage/postgres/housekeeping.ts";
import { POSTGRES_LIMITS } from "../../../src/storage/postgres/options.ts";
import { readSql } from "../../../src/storage/postgres/read-sql.ts";
import { openPostgresStore } from "../../../src/storage/postgres/store.ts";
import { tablesIn } from "../../../src/storage/postgres/tables.ts";
import type { Store } from "../../../src/storage/store.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestSchema } from "../../support/postgres.ts";
import { MESSAGE, POLICY, value } from "../conformance/support.ts";

let place: Awaited<ReturnType<typeof createTestSchema>>;
let store: Store;
let client: pg.Client;
beforeAll(async () => {
  place = await createTestSchema();
  store = await openPostgresStore({ url: place.url, schema: place.schema });
  client = new pg.Client({ connectionString: place.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await store.close();
  await place.drop();
});

const PLAN_TABLES = tablesIn("capstan");
const STATEMENTS: [string, string][] = [
  ...Object.values(readSql("capstan", PLAN_TABLES)),
  ...Object.values(PLAN_TABLES).map(({ updateSql }) => updateSql),
]
  // What only changes through all of its columns has no shorter update.
  .filter(({ text }) => !text.includes("SET  FROM"))
  .map(({ name, text }) => [name, text]);

describe("the statements of a batch", () => {
  it.each(STATEMENTS)("%s finds rows by index, on an empty table that nobody has analyzed", async (_name, text) => {
    const plan = await planOf(text.replaceAll("capstan.", `${place.schema}.`));
    expect(plan).not.toMatch(/Seq Scan on|Hash|Merge|Bitmap/);
  });

  it("claims what was never delivered from its own index only, and the rest from theirs", async () => {
    const { claim, claimDelivered, claimDelayed } = readSql(place.schema, tablesIn(place.schema));
    const plan = await planOf(claim.text);
    expect(indexesOf(plan)).toEqual(new Set(["work_ready", "work_delivered", "work_delayed"]));
    expect(plan).toMatch(/LockRows\n +-> +Index Scan using work_ready/);
    expect(indexesOf(await planOf(claimDelivered.text))).toEqual(new Set(["work_delivered"]));
    expect(indexesOf(await planOf(claimDelayed.text))).toEqual(new Set(["work_delayed"]));
  });
});

describe("housekeeping", () => {
  it("looks for deleted sessions in their own index, in a full table that nobody has analyzed", async () => {
    await client.query("BEGIN");
    await client.query(
      `INSERT INTO ${place.schema}.session (id, environment_id, metadata, status, active_micros, created_at, updated_at)
       SELECT 'sess_' || n, 'env_1', '{}', 'idle', 0, 0, 0 FROM generate_series(1, 20000) AS n`,
    );
    const { rows } = await client.query(`EXPLAIN (COSTS OFF) SELECT 1 WHERE ${anyDeleted(place.schema)}`);
    await client.query("ROLLBACK");
    const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
    expect(plan).not.toContain("Seq Scan");
    expect(plan).toContain("session_deleted");
  });
});

const indexesOf = (plan: string) => new Set(plan.match(/(?<=using )\w+/g));

/** The plan that a batch's connection makes once and keeps. */
async function planOf(text: string): Promise<string> {
  await client.query("BEGIN");
  try {
    await client.query(settingsSql(POSTGRES_LIMITS).text);
    await client.query(`PREPARE planned AS ${text}`);
    const [counted] = (
      await client.query("SELECT cardinality(parameter_types) AS n FROM pg_prepared_statements WHERE name = 'planned'")
    ).rows;
    const given = counted.n === 0 ? "" : `(${Array(counted.n).fill("NULL").join(", ")})`;
    const { rows } = await client.query(`EXPLAIN (COSTS OFF) EXECUTE planned${given}`);
    return rows.map((row) => row["QUERY PLAN"]).join("\n");
  } finally {
    await client.query("ROLLBACK");
    await client.query("DEALLOCATE ALL");
  }
}

describe("heartbeats", () => {
  it("touch no index, not even the first one", async () => {
    const input = { name: "q", description: "", config: {}, selfHosted: true, policy: POLICY, metadata: {} };
    const environmentId = value(await store.execute("createEnvironment", input)).id;
    const session = { environmentId, agent: null, title: null, metadata: {}, initialEvents: [MESSAGE] };
    const workId = value(await store.execute("createSession", session)).liveWorkId as string;
    const target = { environmentId, workId, workerId: "w1" };
    value(await store.execute("ack", target));
    const before = await updates();
    const beat = { ...target, ttlSeconds: 60, declaredRetry: false, idempotencyKey: null, expected: undefined };
    for (let n = 0; n < 5; n++) value(await store.execute("heartbeat", beat));
    const after = await updates();
    expect({ all: after.all - before.all, hot: after.hot - before.hot }).toEqual({ all: 5, hot: 5 });
  });
});

/** Updates of items so far, and those that touched no index. A connection's are counted when it has ended. */
async function updates(): Promise<{ all: number; hot: number }> {
  await store.close();
  store = await openPostgresStore({ url: place.url, schema: place.schema });
  return eventually(async () => {
    const { rows } = await client.query(
      `SELECT n_tup_upd::int AS all, n_tup_hot_upd::int AS hot,
         (SELECT count(*)::int FROM pg_stat_activity WHERE application_name = 'capstan' AND state <> 'idle'
          AND datname = current_database()) AS busy
       FROM pg_stat_user_tables WHERE relname = 'work_current' AND schemaname = $1`,
      [place.schema],
    );
    if (rows[0].busy > 0) throw new Error("connections are at work still");
    return rows[0];
  });
}
