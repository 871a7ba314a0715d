import { afterAll, beforeAll, expect, test } from "vitest";
import type { List, Session, SessionEvent, Work, WorkQueueStats } from "../../src/contract/shapes.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, ok, refused, unknownId } from "./support/api.ts";

const clock = new FakeClock();
let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer({ clock });
  api = new Api(server);
});
afterAll(() => server.stop());

const environmentId = async (): Promise<string> => (await api.environment()).id;

function list(environment: string, query: Record<string, string | number> = {}) {
  return server.call<List<Work>>("GET", `/environments/${environment}/work`, { query });
}

async function queue(environment: string, count: number): Promise<Work[]> {
  const items: Work[] = [];
  for (let index = 0; index < count; index++) items.push(await api.queued(environment));
  return items;
}

test("items are delivered in the order in which they were queued, each once", async () => {
  const environment = await environmentId();
  const items = await queue(environment, 5);
  for (const item of items) expect(ok(await api.poll(environment))?.id).toBe(item.id);
  expect(ok(await api.poll(environment))).toBeNull();
});

test("what was not acknowledged is delivered again when it is as old as the caller asks for, not before", async () => {
  const environment = await environmentId();
  const item = await api.queued(environment);
  ok(await api.poll(environment, { worker: "w1" }));
  clock.advanceMicros(4_999_999);
  expect(ok(await api.poll(environment, { worker: "w2" }))).toBeNull();
  clock.advanceMicros(1);
  expect(ok(await api.poll(environment, { worker: "w2" }))?.id).toBe(item.id);
  clock.advanceMicros(999_999);
  const query = { reclaim_older_than_ms: 1_000 };
  expect(ok(await api.poll(environment, { query }))).toBeNull();
  clock.advanceMicros(1);
  expect(ok(await api.poll(environment, { query }))?.id).toBe(item.id);
});

test("a window of nothing redelivers at once, a huge one never, and what was acknowledged is not delivered", async () => {
  const environment = await environmentId();
  const item = await api.queued(environment);
  ok(await api.poll(environment));
  clock.advanceMicros(1);
  expect(ok(await api.poll(environment, { query: { reclaim_older_than_ms: 0 } }))?.id).toBe(item.id);
  clock.advanceSeconds(86_400);
  expect(ok(await api.poll(environment, { query: { reclaim_older_than_ms: "9".repeat(30) } }))).toBeNull();
  ok(await api.on(item, "ack"));
  expect(ok(await api.poll(environment, { query: { reclaim_older_than_ms: 0 } }))).toBeNull();
});

test("an ack under another name than the last delivery's is refused; nameless calls are not compared", async () => {
  const environment = await environmentId();
  const item = await api.queued(environment);
  ok(await api.poll(environment, { worker: "w1" }));
  const foreign = await api.on(item, "ack", { worker: "w2" });
  expect(refused(foreign, 409, "invalid_request_error").message).toContain(item.id);
  expect(foreign.headers.get("x-should-retry")).toBe("false");
  const taken = ok(await api.on(item, "ack", { worker: "w1" }));
  clock.advanceSeconds(1);
  expect(ok(await api.on(item, "ack", { worker: "w1" }))).toEqual(taken);
  expect(ok(await api.on(item, "ack"))).toEqual(taken);
  refused(await api.on(item, "ack", { worker: "w2" }), 409);
});

test("a nameless poll forgets the name of the delivery before it", async () => {
  const environment = await environmentId();
  const item = await api.queued(environment);
  ok(await api.poll(environment, { worker: "w1" }));
  clock.advanceMicros(1);
  ok(await api.poll(environment, { query: { reclaim_older_than_ms: 0 } }));
  expect(ok(await api.on(item, "ack", { worker: "w2" })).state).toBe("starting");
});

test("an item that was never delivered can be acknowledged, and its ack starts the session", async () => {
  const environment = await environmentId();
  const item = await api.queued(environment);
  expect(ok(await api.on(item, "ack", { worker: "w1" })).acknowledged_at).not.toBeNull();
  expect(ok(await api.poll(environment))).toBeNull();
  expect(ok(await api.getSession(item.data.id)).status).toBe("running");
});

test("a stop has only its documented bodies", async () => {
  for (const body of [undefined, {}, { force: false }, { unheard_of: 1 }]) {
    const item = await api.itemIn("active", await environmentId());
    const asked = ok(await api.on(item, "stop", { body }));
    expect(asked).toMatchObject({ state: "stopping", stopped_at: null });
    const confirmed = ok(await api.on(item, "stop", { body }));
    expect(confirmed).toMatchObject({ state: "stopped", stop_requested_at: asked.stop_requested_at });
  }
});

test.each(["starting", "active"] as const)(
  "a released %s item keeps its id and its place, with nothing left of its owner",
  async (state) => {
    const environment = await environmentId();
    const item = await api.itemIn(state, environment, "w1");
    const later = await api.queued(environment);
    const released = ok(await api.on(item, "release", { worker: "w1", body: { reason: "shutting down" } }));
    expect(released).toEqual({
      ...item,
      state: "queued",
      acknowledged_at: null,
      started_at: null,
      latest_heartbeat_at: null,
    });
    refused(await api.beat(item, undefined, { worker: "w1" }), 409);
    expect(ok(await api.poll(environment, { worker: "w2" }))?.id).toBe(item.id);
    expect(ok(await api.poll(environment, { worker: "w2" }))?.id).toBe(later.id);
    const path = `/sessions/${item.data.id}/events`;
    const events = ok(
      await server.call<List<SessionEvent>>("GET", path, { query: { types: "session.status_rescheduled" } }),
    );
    expect(events.data).toMatchObject([{ reason: "shutting down" }]);
  },
);

test("a release with a delay is not delivered before its time", async () => {
  const environment = await environmentId();
  const item = await api.itemIn("starting", environment);
  ok(await api.on(item, "release", { body: { delay_ms: 1_500 } }));
  expect(await api.stats(environment)).toMatchObject({ depth: 0, pending: 0, oldest_queued_at: item.created_at });
  clock.advanceMicros(1_499_999);
  expect(ok(await api.poll(environment))).toBeNull();
  clock.advanceMicros(1);
  expect((await api.stats(environment)).depth).toBe(1);
  expect(ok(await api.poll(environment))?.id).toBe(item.id);
});

test("stats count what waits, what is on its way and who polls", async () => {
  const environment = await environmentId();
  expect(await api.stats(environment)).toEqual({
    type: "work_queue_stats",
    depth: 0,
    pending: 0,
    oldest_queued_at: null,
    workers_polling: 0,
  });
  const [first] = await queue(environment, 3);
  ok(await api.poll(environment, { worker: "w1" }));
  const expectStats = (expected: Partial<WorkQueueStats>) =>
    eventually(async () => expect(await api.stats(environment)).toMatchObject(expected));
  await expectStats({ depth: 2, pending: 1, oldest_queued_at: first?.created_at ?? null, workers_polling: 1 });
  clock.advanceSeconds(5);
  await expectStats({ depth: 3, pending: 0, oldest_queued_at: first?.created_at ?? null });
  ok(await api.poll(environment, { worker: "w2" }));
  ok(await api.poll(environment, { worker: "w2" }));
  ok(await api.poll(environment));
  await expectStats({ depth: 0, pending: 3, workers_polling: 2 });
  clock.advanceSeconds(26);
  await expectStats({ workers_polling: 1 });
});

test("a list has all states, oldest first, and can be asked for one of them", async () => {
  const environment = await environmentId();
  const items: Work[] = [];
  for (const state of ["stopped", "stopping", "active", "starting", "queued"] as const) {
    items.push(await api.itemIn(state, environment));
  }
  expect(ok(await list(environment))).toEqual({
    data: items,
    first_id: items[0]?.id,
    last_id: items[4]?.id,
    has_more: false,
    next_page: null,
  });
  for (const item of items) expect(ok(await list(environment, { state: item.state })).data).toEqual([item]);
  const empty = { data: [], first_id: null, last_id: null, has_more: false, next_page: null };
  expect(ok(await list(await environmentId()))).toEqual(empty);
});

test("a work list over its limit is capped at a hundred, and 20 long where nothing is said", async () => {
  const environment = await environmentId();
  const sessions = Array.from({ length: 105 }, () => api.session(environment));
  await Promise.all(sessions);
  for (const limit of [101, 1_000, "9".repeat(30)]) {
    const page = ok(await list(environment, { limit }));
    expect(page.data).toHaveLength(100);
    expect(page).toMatchObject({ has_more: true, next_page: page.last_id });
  }
  expect(ok(await list(environment)).data).toHaveLength(20);
});

test("pages in both directions give every item once, in order", async () => {
  const environment = await environmentId();
  const items = await queue(environment, 7);
  const ids = items.map((item) => item.id);
  for (const cursor of ["page", "after_id"]) {
    const seen: string[] = [];
    let next: string | null = null;
    do {
      const page: List<Work> = ok(await list(environment, { limit: 3, ...(next === null ? {} : { [cursor]: next }) }));
      seen.push(...page.data.map((item) => item.id));
      next = page.next_page;
    } while (next !== null);
    expect(seen).toEqual(ids);
  }
  const before = ok(await list(environment, { limit: 3, before_id: ids[5] ?? "" }));
  expect(before.data.map((item) => item.id)).toEqual(ids.slice(2, 5));
  expect(before.has_more).toBe(true);
  const first = ok(await list(environment, { limit: 3, before_id: ids[2] ?? "" }));
  expect(first.data.map((item) => item.id)).toEqual(ids.slice(0, 2));
  expect(first).toMatchObject({ has_more: false, next_page: null });
});

test("a cursor that names no record is a position", async () => {
  const environment = await environmentId();
  const items = await queue(environment, 2);
  expect(ok(await list(environment, { after_id: unknownId("work_") })).data).toEqual(items);
  expect(ok(await list(environment, { before_id: `work_${"f".repeat(32)}` })).data).toEqual(items);
  expect(ok(await list(environment, { page: `work_${"f".repeat(32)}` })).data).toEqual([]);
});

test("a wish to wait is confirmed, and brought down to a minute, unless the poll is refused", async () => {
  const environment = await environmentId();
  for (const [prefer, applied] of [
    ["wait=1", "wait=1"],
    ["respond-async, wait=9999", "wait=60"],
  ] as const) {
    await api.queued(environment);
    const answer = await api.poll(environment, { headers: { prefer } });
    expect(ok(answer)).not.toBeNull();
    expect(answer.headers.get("preference-applied")).toBe(applied);
  }
  expect((await api.poll(environment)).headers.get("preference-applied")).toBeNull();
  const refusal = await api.poll(`env_${"0".repeat(32)}`, { headers: { prefer: "wait=1" } });
  refused(refusal, 404);
  expect(refusal.headers.get("preference-applied")).toBeNull();
});

test("an item carries the metadata that its session had when it was queued", async () => {
  const environment = await environmentId();
  const session: Session = await api.session(environment, { metadata: { team: "a" } });
  const path = `/sessions/${session.id}`;
  ok(await server.call("POST", path, { body: { metadata: { team: "b" } } }));
  expect((await api.newestWork(environment)).metadata).toEqual({ team: "a" });
});
