import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WORK_STATES } from "../../src/core/transitions.ts";
import { closeFile, type Database, openFile } from "../../src/storage/sqlite/driver.ts";
import { openDatabase } from "../../src/storage/sqlite/open.ts";
import { ITEMS_IN, LimitedQuery, QUEUE_SQL } from "../../src/storage/sqlite/queue-sql.ts";

/** Which index each statement of the queue reads. */
const INDEXES: Record<keyof typeof QUEUE_SQL, string> = {
  ready: "USING INDEX work_ready (environment_id=?)",
  delivered: "USING COVERING INDEX work_delivered (environment_id=? AND delivered_at>? AND delivered_at<?)",
  delayed: "USING COVERING INDEX work_delayed (environment_id=? AND available_at>? AND available_at<?)",
  due: "USING COVERING INDEX work_due (sweep_at>? AND sweep_at<?)",
  hasSession: "USING INDEX session_environment (environment_id=?)",
  toolResult: "USING INDEX event_tool_result (session_id=? AND <expr>=?)",
};
/** What has to be put in order after it was read: only what is due, which is little, and never what is ready. */
const SORTED = new Set(["delivered", "delayed"]);

describe("on SQLite the queue", () => {
  let dataDir: string;
  let database: Database;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "capstan-plans-"));
    ({ database } = await openDatabase(dataDir));
  });
  afterAll(async () => {
    closeFile(database);
    await rm(dataDir, { recursive: true });
  });

  it.each(Object.entries(QUEUE_SQL))("is read by index for what is %s, without statistics", (name, sql) => {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    const steps = plan.map((step) => step.detail.replace(/^SEARCH \w+ /, ""));
    const expected = [INDEXES[name as keyof typeof QUEUE_SQL]];
    if (SORTED.has(name)) expected.push("USE TEMP B-TREE FOR ORDER BY");
    expect(steps).toEqual(expected);
  });
});

describe("on SQLite a list of items", () => {
  it.each(WORK_STATES)("that are %s does not read past those that are not", async (state) => {
    const dataDir = await mkdtemp(join(tmpdir(), "capstan-plans-"));
    const { database } = await openDatabase(dataDir);
    const sql = `SELECT * FROM ${ITEMS_IN[state]} WHERE environment_id = ? AND state = '${state}' AND id > ? ORDER BY id LIMIT 21`;
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
    const read = plan.flatMap(({ detail }) => /^(?:SEARCH|SCAN) .*/.exec(detail) ?? []);
    closeFile(database);
    await rm(dataDir, { recursive: true });
    const leased = ["SEARCH work USING INDEX work_due (sweep_at>?)"];
    expect(read).toEqual(
      {
        queued: [
          "SEARCH work USING INDEX work_ready (environment_id=? AND id>?)",
          "SEARCH work USING INDEX work_delivered (environment_id=? AND delivered_at>?)",
          "SEARCH work USING INDEX work_delayed (environment_id=? AND available_at>?)",
        ],
        starting: leased,
        active: leased,
        stopping: leased,
        stopped: ["SEARCH work USING INDEX work_environment (environment_id=? AND id>?)"],
      }[state],
    );
  });
});

describe("a limited query", () => {
  it("gives at least as many rows as were asked for, with few statements for all limits", async () => {
    const database = await openFile(":memory:");
    const prepared: string[] = [];
    const counting = { prepare: (sql: string) => prepared.push(sql) && database.prepare(sql) } as unknown as Database;
    const query = new LimitedQuery(counting, "SELECT value FROM json_each(?)");
    const values = JSON.stringify(Array.from({ length: 2_000 }, (_, value) => value));
    for (let rows = 1; rows <= 1_000; rows++) expect(query.first(rows, values).length).toBeGreaterThanOrEqual(rows);
    expect(prepared.length).toBe(7);
    database.close();
  });
});
