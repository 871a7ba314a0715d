import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPostgresStore } from "../../../src/storage/postgres/store.ts";
import type { Store } from "../../../src/storage/store.ts";
import { createTestPostgres, type TestPostgres } from "../../support/postgres.ts";
import { agentEvent, MESSAGE, POLICY, value } from "../conformance/support.ts";

const REPLICAS = 3;
const WORKERS = 32;
const SESSIONS = 600;

let database: TestPostgres;
let stores: Store[];
beforeAll(async () => {
  database = await createTestPostgres();
  stores = await Promise.all(Array.from({ length: REPLICAS }, () => openPostgresStore({ url: database.url })));
});
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await database.drop();
});

const any = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T;
const replica = (): Store => any(stores);

async function environment(): Promise<string> {
  const input = { name: "q", description: "", config: {}, selfHosted: true, policy: POLICY, metadata: {} };
  return value(await replica().execute("createEnvironment", input)).id;
}

async function session(environmentId: string): Promise<string> {
  const input = { environmentId, agent: null, title: null, metadata: {}, initialEvents: [MESSAGE] };
  return value(await replica().execute("createSession", input)).id;
}

/** What one worker did to one hand-out; each call may go to another server. */
async function work(environmentId: string, workerId: string, deliveries: string[]): Promise<boolean> {
  const poll = { environmentId, workerId, reclaimOlderThanMs: 60_000 };
  const claim = value(await replica().execute("poll", poll));
  if (claim === null) return false;
  const { id: workId, handOut, sessionId } = claim.item;
  deliveries.push(`${workId} ${handOut}`);
  const target = { environmentId, workId };
  const beat = { ...target, workerId, ttlSeconds: 60, declaredRetry: false, idempotencyKey: null };
  const ack = await replica().execute("ack", { ...target, workerId });
  // Only a cancelled session may take an item away from its worker here.
  if (ack.refused) return true;
  const first = await replica().execute("heartbeat", { ...beat, expected: null });
  if (!first.refused) {
    const events = [agentEvent(workerId)];
    await replica().execute("sendEvents", { sessionId, events, sender: { role: "worker", workerId } });
    await replica().execute("heartbeat", { ...beat, expected: first.value.at });
  }
  if (Math.random() < 0.1) await replica().execute("release", { ...target, workerId, delayMs: 0 });
  else await replica().execute("stop", { ...target, workerId, force: Math.random() < 0.3 });
  await replica().execute("stop", { ...target, workerId: null, force: false });
  return true;
}

/** Whatever else goes on: messages, cancels, renames, sweeps, in no order and to any server. */
async function disturb(
  environments: readonly string[],
  sessions: readonly string[],
  until: () => boolean,
): Promise<void> {
  while (!until()) {
    const sessionId = any(sessions);
    await any([
      () => replica().execute("sendEvents", { sessionId, events: [MESSAGE], sender: { role: "user" } }),
      () => replica().execute("cancelSession", { sessionId }),
      () => replica().execute("updateSession", { sessionId, title: "t", metadata: { a: "b" } }),
      () => replica().execute("sweep", { limit: 100 }),
      () => replica().execute("updateEnvironment", { environmentId: any(environments), metadata: { a: "b" } }),
      () => replica().purge(100),
    ])();
  }
}

describe("many workers on several servers", () => {
  it("share a queue without a double owner or a lost item", async () => {
    const environments = [await environment(), await environment()];
    const sessions = await Promise.all(Array.from({ length: SESSIONS }, () => session(any(environments))));
    const deliveries: string[] = [];
    let busy = WORKERS;
    const worker = async (name: string): Promise<void> => {
      let idle = 0;
      while (idle < 5) idle = (await work(any(environments), name, deliveries)) ? 0 : idle + 1;
      busy -= 1;
    };
    await Promise.all([
      ...Array.from({ length: WORKERS }, (_, n) => worker(`w${n}`)),
      ...Array.from({ length: 4 }, () => disturb(environments, sessions, () => busy < WORKERS / 2)),
    ]);
    // The last messages may have come after the last worker had gone.
    const rest: string[] = [];
    for (const environmentId of environments) while (await work(environmentId, "last", rest));

    expect(new Set([...deliveries, ...rest]).size).toBe(deliveries.length + rest.length);
    expect(deliveries.length).toBeGreaterThanOrEqual(SESSIONS);
    const counts = await replica().countWork();
    expect(counts.map(({ state }) => state)).toEqual(["stopped"]);
    for (const id of sessions)
      expect(await replica().getSession(id)).toMatchObject({ status: "idle", liveWorkId: null });
    const order = await database.sql<{ broken: string }>(
      `SELECT count(*) AS broken FROM (SELECT created_at < lag(created_at) OVER (PARTITION BY session_id ORDER BY id) AS back
       FROM capstan.event) AS each WHERE back`,
    );
    expect(order).toEqual([{ broken: "0" }]);
  }, 120_000);

  it("never wait for each other in a circle, however many want the same few rows", async () => {
    const environmentId = await environment();
    const sessions = await Promise.all(Array.from({ length: 12 }, () => session(environmentId)));
    const items = await Promise.all(sessions.map(async (id) => (await replica().getSession(id))?.liveWorkId as string));
    const touch = (store: Store): Promise<unknown> => {
      const target = { environmentId, workId: any(items) };
      const sessionId = any(sessions);
      return any([
        () => store.execute("updateWork", { ...target, metadata: { a: "b" } }),
        () => store.execute("ack", { ...target, workerId: null }),
        () => store.execute("release", { ...target, workerId: null, delayMs: 0 }),
        () => store.execute("sendEvents", { sessionId, events: [MESSAGE], sender: { role: "user" } }),
        () => store.execute("updateSession", { sessionId, title: "t" }),
        () => store.execute("updateEnvironment", { environmentId, metadata: { a: "b" } }),
        () => session(environmentId),
      ])();
    };
    const rounds = async (store: Store): Promise<void> => {
      for (let round = 0; round < 60; round++) await Promise.all(Array.from({ length: 12 }, () => touch(store)));
    };
    await Promise.all([...stores, ...stores].map(rounds));
    await Promise.all(stores.map((store) => store.close()));
    const [stats] = await database.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()");
    expect(stats).toEqual({ deadlocks: "0" });
  }, 120_000);
});
