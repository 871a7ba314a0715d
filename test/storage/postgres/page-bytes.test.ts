import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { PAGE_BYTES, type Page, type PageRequest } from "../../../src/core/page.ts";
import { PostgresLists, type Query } from "../../../src/storage/postgres/lists.ts";
import { POSTGRES_LIMITS } from "../../../src/storage/postgres/options.ts";
import { Reading } from "../../../src/storage/postgres/reading.ts";
import { PostgresReads } from "../../../src/storage/postgres/reads.ts";
import { openPostgresStore } from "../../../src/storage/postgres/store.ts";
import { tablesIn } from "../../../src/storage/postgres/tables.ts";
import { createTestSchema } from "../../support/postgres.ts";

const ROW_BYTES = PAGE_BYTES / 4;
/** Of these rows a page holds: as many as do not exceed its bytes, and the one that does. */
const FIT = 4;
const ALL = { includeArchived: true } as const;

let place: Awaited<ReturnType<typeof createTestSchema>>;
let reading: Reading;
let client: pg.Client;
let lists: PostgresLists;
let reads: PostgresReads;
/** Each answer of the database: how many rows came, and how many characters. */
const arrived: { rows: number; bytes: number }[] = [];

beforeAll(async () => {
  place = await createTestSchema();
  const { url, schema } = place;
  await (await openPostgresStore({ url, schema })).close();
  reading = new Reading({ url, prepare: true, limits: POSTGRES_LIMITS });
  const query: Query = async (text, values) => {
    const rows = await reading.query(text, values);
    const length = (row: object) => Object.values(row).reduce<number>((sum, one) => sum + String(one).length, 0);
    arrived.push({ rows: rows.length, bytes: rows.reduce((sum, row) => sum + length(row), 0) });
    return rows;
  };
  lists = new PostgresLists(query, schema, tablesIn(schema));
  reads = new PostgresReads(query, schema, tablesIn(schema), () => null, 100);
  client = new pg.Client({ connectionString: url, options: `-c search_path=${schema}` });
  await client.connect();
});
beforeEach(() => {
  arrived.length = 0;
});
afterAll(async () => {
  await client.end();
  await reading.close();
  await place.drop();
});

const LONG = `json_build_object('text', repeat('x', ${ROW_BYTES}))`;
const ID = "'id_' || lpad(n::text, 4, '0')";

async function events(sessionId: string, count: number, payload = LONG): Promise<string[]> {
  await client.query(
    `INSERT INTO event (session_id, id, created_at, type, payload)
     SELECT '${sessionId}', ${ID}, 0, 'agent.message', ${payload} FROM generate_series(1, ${count}) AS n`,
  );
  return Array.from({ length: count }, (_, n) => `id_${String(n + 1).padStart(4, "0")}`);
}

const page = (request: Partial<PageRequest> = {}): PageRequest => ({ limit: 1_000, order: "ascending", ...request });
const told = ({ data, hasMore }: Page<{ readonly id: string }>) => ({ ids: data.map(({ id }) => id), hasMore });

describe("a page of large events", () => {
  let ids: string[];
  beforeAll(async () => {
    ids = await events("sess_large", 10);
  });

  it.each([
    ["forwards", { order: "ascending" }, [0, FIT]],
    ["forwards, the newest first", { order: "descending" }, [10 - FIT, 10]],
    ["backwards", { order: "ascending", before: "~" }, [10 - FIT, 10]],
    ["backwards, the newest first", { order: "descending", before: "!" }, [0, FIT]],
    ["from the middle", { order: "ascending", after: "id_0003" }, [3, 3 + FIT]],
  ] as const)("brings no more than fits, %s", async (_way, request, [from, to]) => {
    const expected = ids.slice(from, to);
    const found = told(await lists.events("sess_large", page(request), {}));
    expect(found).toEqual({ ids: request.order === "ascending" ? expected : expected.toReversed(), hasMore: true });
    expect(arrived).toEqual([{ rows: FIT, bytes: expect.any(Number) }]);
    expect(arrived[0]?.bytes).toBeLessThan(PAGE_BYTES + 2 * ROW_BYTES);
  });

  it("says that there is more only where there is", async () => {
    expect(told(await lists.events("sess_large", page({ after: "id_0006" }), {}))).toEqual({
      ids: ids.slice(6),
      hasMore: false,
    });
    expect(told(await lists.events("sess_large", page({ before: "id_0005" }), {}))).toEqual({
      ids: ids.slice(0, 4),
      hasMore: false,
    });
    expect(told(await lists.events("sess_large", page({ limit: 2 }), {}))).toEqual({
      ids: ids.slice(0, 2),
      hasMore: true,
    });
    expect(told(await lists.events("sess_none", page(), {}))).toEqual({ ids: [], hasMore: false });
  });

  it("holds one that is larger than a page, by itself", async () => {
    const [first, second] = await events("sess_huge", 2, `json_build_object('text', repeat('x', ${PAGE_BYTES + 1}))`);
    expect(told(await lists.events("sess_huge", page(), {}))).toEqual({ ids: [first], hasMore: true });
    expect(told(await lists.events("sess_huge", page({ after: first }), {}))).toEqual({
      ids: [second],
      hasMore: false,
    });
  });
});

describe("a page of large rows of another kind brings no more than fits", () => {
  const made = `0, 0 FROM generate_series(1, 10) AS n`;
  it.each([
    [
      "environments",
      `INSERT INTO environment (id, name, description, config, self_hosted, max_attempts, drain_seconds, start_seconds,
       metadata, created_at, updated_at) SELECT ${ID}, '', '', ${LONG}, true, 1, 1, 1, '{}', ${made}`,
      () => lists.environments(page(), ALL),
    ],
    [
      "agents",
      `INSERT INTO agent (id, version, fields, metadata, created_at, updated_at) SELECT ${ID}, 1, ${LONG}, '{}', ${made}`,
      () => lists.agents(page(), ALL),
    ],
    [
      "sessions",
      `INSERT INTO session (id, environment_id, agent, metadata, status, active_micros, created_at, updated_at)
       SELECT ${ID}, 'env_1', ${LONG}, '{}', 'idle', 0, ${made}`,
      () => lists.sessions(page(), ALL),
    ],
    [
      "sessions without an agent",
      `DELETE FROM session; INSERT INTO session (id, environment_id, metadata, status, active_micros, created_at, updated_at)
       SELECT ${ID}, 'env_1', ${LONG}, 'idle', 0, ${made}`,
      () => lists.sessions(page(), ALL),
    ],
    [
      "work",
      `INSERT INTO work (id, environment_id, session_id, state, metadata, stopped_at, retired, created_at, hand_out, attempts,
       heartbeat_floor) SELECT ${ID}, 'env_1', 'sess_' || n, 'stopped', ${LONG}, 0, n > 3, 0, 1, ${made}`,
      () => lists.works("env_1", page(), {}),
    ],
  ] as const)("%s", async (_kind, insert, list) => {
    await client.query(insert);
    const { data, hasMore } = await list();
    expect({ data: data.length, hasMore }).toEqual({ data: FIT, hasMore: true });
    expect(arrived).toEqual([{ rows: FIT, bytes: expect.any(Number) }]);
  });
});

it("versions of an agent all come, no more of them at once than fit a page", async () => {
  await client.query(
    `INSERT INTO agent_version (id, version, fields, metadata, created_at, updated_at)
     SELECT 'agent_1', n, ${LONG}, '{}', 0, 0 FROM generate_series(1, 10) AS n`,
  );
  const versions = await reads.agentVersions("agent_1", 10, 8);
  expect(versions.map(({ version }) => version)).toEqual([9, 8, 7, 6, 5, 4, 3, 2]);
  expect(arrived.map(({ rows }) => rows)).toEqual([FIT, FIT]);
});

describe("a list reads its rows in the order of an index, and sorts nothing", () => {
  beforeAll(async () => {
    await events("sess_plan", 3_000, "'{}'");
    await client.query(
      `INSERT INTO work (id, environment_id, session_id, state, metadata, stopped_at, retired, created_at, hand_out, attempts,
       heartbeat_floor) SELECT 'work_' || n, 'env_plan', 'sess_' || n, 'stopped', '{}', 0, n > 1500, 0, 1, 0, 0
       FROM generate_series(1, 3000) AS n`,
    );
    await client.query("ANALYZE event, work_current, work_retired");
  });

  it.each(["ascending", "descending"] as const)("%s", async (order) => {
    const asked: [string, unknown[]][] = [];
    const noting: Query = async (text, values) => {
      asked.push([text, [...values]]);
      return [];
    };
    const planned = new PostgresLists(noting, place.schema, tablesIn(place.schema));
    await planned.events("sess_plan", page({ order, after: "id_2000" }), {});
    await planned.works("env_plan", page({ order, limit: 20 }), {});
    const plans = await Promise.all(asked.map(([text, values]) => client.query(`EXPLAIN (COSTS OFF) ${text}`, values)));
    const [events, works] = plans.map(({ rows }) => rows.map((row) => row["QUERY PLAN"]).join("\n"));
    expect(events).toContain("using event_pkey");
    expect(works).toMatch(/Limit\n +-> +Merge Append/);
    for (const plan of [events, works]) expect(plan).not.toMatch(/Sort$/m);
  });
});
