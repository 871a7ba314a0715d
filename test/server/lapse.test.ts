import { afterAll, beforeAll, expect, test } from "vitest";
import type { SessionEvent, Work } from "../../src/contract/shapes.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { intercepting } from "../support/intercepting.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, MESSAGE, ok, refused } from "./support/api.ts";

const clock = new FakeClock();
let sweeps = 0;
let server: TestServer;
let api: Api;

beforeAll(async () => {
  const wrapStore = intercepting("execute", (execute) => async (name: string, input: unknown) => {
    const outcome = await execute(name, input);
    if (name === "sweep") sweeps += 1;
    return outcome;
  });
  server = await startTestServer({ clock, wrapStore, sweepMs: 2 });
  api = new Api(server);
});
afterAll(() => server.stop());

/** Moves the clock and waits until the sweepers have seen it: one sweep may have been under way already. */
async function passes(micros: number): Promise<void> {
  clock.advanceMicros(micros);
  const before = sweeps;
  await eventually(() => expect(sweeps).toBeGreaterThan(before + server.urls.length));
}

const SECOND = 1_000_000;
const environmentWith = async (queue: Record<string, number> = {}) => (await api.environment(queue)).id;
const stateOf = async (item: Work) => ok(await api.getWork(item)).state;
const told = async (item: Work): Promise<SessionEvent[]> =>
  (await api.events(item.data.id)).filter((event) => event.type.startsWith("session."));

/** Polls and acks the one item of the queue. */
async function take(item: Work, worker: string): Promise<Work> {
  expect(ok(await api.poll(item.environment_id, { worker }))?.id).toBe(item.id);
  return ok(await api.on(item, "ack", { worker }));
}

test.each([
  { queue: {}, seconds: 60 },
  { queue: { start_seconds: 5 }, seconds: 5 },
])("a starting item without a heartbeat is queued again after $seconds s, not before", async ({ queue, seconds }) => {
  const item = await api.itemIn("starting", await environmentWith(queue), "w1");
  await passes(seconds * SECOND - 1);
  expect(await stateOf(item)).toBe("starting");
  await passes(1);
  expect(ok(await api.getWork(item))).toEqual({ ...item, state: "queued", acknowledged_at: null });
});

test("an active item is queued again when its lease ends, and every heartbeat moves that end", async () => {
  const item = await api.itemIn("starting", await environmentWith(), "w1");
  const ttl = { query: { desired_ttl_seconds: 30 } };
  ok(await api.beat(item, undefined, ttl));
  await passes(30 * SECOND - 1);
  ok(await api.beat(item, undefined, ttl));
  await passes(30 * SECOND - 1);
  expect(await stateOf(item)).toBe("active");
  await passes(1);
  const stamps = { acknowledged_at: null, started_at: null, latest_heartbeat_at: null };
  expect(ok(await api.getWork(item))).toEqual({ ...item, state: "queued", ...stamps });
});

test("the session is rescheduling until the next owner's first heartbeat", async () => {
  const item = await api.itemIn("active", await environmentWith(), "w1");
  const status = async () => ok(await api.getSession(item.data.id)).status;
  expect(await status()).toBe("running");
  await passes(60 * SECOND);
  expect(await status()).toBe("rescheduling");
  await take(item, "w2");
  expect(await status()).toBe("rescheduling");
  ok(await api.beat(item, "NO_HEARTBEAT", { worker: "w2" }));
  expect(await status()).toBe("running");
  expect(await told(item)).toMatchObject([
    { type: "session.status_running" },
    { type: "session.status_rescheduled", reason: "lease_lapsed" },
    { type: "session.status_running" },
  ]);
});

test("whoever lost the lease meets 409 and 412, and the next owner starts with NO_HEARTBEAT", async () => {
  const item = await api.itemIn("starting", await environmentWith(), "w1");
  const first = ok(await api.beat(item, "NO_HEARTBEAT", { worker: "w1" })).last_heartbeat;
  await passes(60 * SECOND);
  refused(await api.beat(item, first, { worker: "w1" }), 409);
  refused(await api.on(item, "stop", { worker: "w1" }), 409);
  await take(item, "w2");
  refused(await api.beat(item, first), 412);
  refused(await api.beat(item, "NO_HEARTBEAT", { worker: "w1" }), 409);
  const second = ok(await api.beat(item, "NO_HEARTBEAT", { worker: "w2" })).last_heartbeat;
  expect(second > first).toBe(true);
  refused(await api.beat(item, first), 412);
  refused(await api.on(item, "stop", { worker: "w1" }), 409);
  refused(await api.on(item, "release", { worker: "w1" }), 409);
  ok(await api.beat(item, second, { worker: "w2" }));
});

test("a lapsed item keeps its place in line, and wakes whoever waits", async () => {
  const environment = await environmentWith();
  const item = await api.itemIn("active", environment, "w1");
  const later = await api.queued(environment);
  await passes(60 * SECOND);
  expect(ok(await api.poll(environment))?.id).toBe(item.id);
  expect(ok(await api.poll(environment))?.id).toBe(later.id);
  ok(await api.on(item, "ack"));
  ok(await api.on(later, "stop"));
  const waiting = api.poll(environment, { headers: { prefer: "wait=60" } });
  await eventually(async () => expect(await server.metric("capstan_polls_parked")).toBe(1));
  await passes(60 * SECOND);
  expect(ok(await waiting)?.id).toBe(item.id);
});

test("a stopping item whose lease ends is stopped, and never queued again", async () => {
  const item = await api.itemIn("stopping", await environmentWith(), "w1");
  await passes(60 * SECOND - 1);
  expect(await stateOf(item)).toBe("stopping");
  await passes(1);
  expect(ok(await api.getWork(item))).toMatchObject({ state: "stopped", stop_requested_at: item.stop_requested_at });
  expect(ok(await api.getSession(item.data.id)).status).toBe("idle");
});

test("an item that was asked to stop before its first heartbeat is stopped when that does not come", async () => {
  const item = await api.itemIn("starting", await environmentWith({ start_seconds: 10 }), "w1");
  ok(await api.on(item, "stop", { worker: "w1" }));
  await passes(10 * SECOND - 1);
  expect(await stateOf(item)).toBe("stopping");
  await passes(1);
  expect(await stateOf(item)).toBe("stopped");
});

test("a stopping item extends its lease up to the drain limit, and no further", async () => {
  const item = await api.itemIn("stopping", await environmentWith({ drain_seconds: 100 }), "w1");
  await passes(50 * SECOND);
  expect(ok(await api.beat(item))).toMatchObject({ state: "stopping", lease_extended: true, ttl_seconds: 50 });
  await passes(47 * SECOND + 500_000);
  expect(ok(await api.beat(item))).toMatchObject({ lease_extended: true, ttl_seconds: 2 });
  await passes(2 * SECOND);
  expect(ok(await api.beat(item))).toMatchObject({ lease_extended: true, ttl_seconds: 1 });
  await passes(499_999);
  expect(await stateOf(item)).toBe("stopping");
  await passes(1);
  expect(await stateOf(item)).toBe("stopped");
});

test("after the drain limit a heartbeat is told that it extends nothing, until the sweep comes", async () => {
  const slow = await startTestServer({ clock, sweepMs: 3_600_000 });
  try {
    const other = new Api(slow);
    const item = await other.itemIn("stopping", (await other.environment({ drain_seconds: 20 })).id, "w1");
    clock.advanceSeconds(20);
    expect(ok(await other.beat(item))).toMatchObject({ state: "stopping", lease_extended: false, ttl_seconds: 0 });
    expect(ok(await other.on(item, "stop"))).toMatchObject({ state: "stopped" });
  } finally {
    await slow.stop();
  }
});

test("attempts that are used up stop the item and tell the session why", async () => {
  const item = await api.itemIn("active", await environmentWith({ max_attempts: 2 }), "w1");
  await passes(60 * SECOND);
  expect(await stateOf(item)).toBe("queued");
  await take(item, "w2");
  await passes(60 * SECOND);
  expect(ok(await api.getWork(item))).toMatchObject({ state: "stopped", stop_requested_at: null });
  expect(ok(await api.getSession(item.data.id)).status).toBe("idle");
  expect((await told(item)).slice(-2)).toMatchObject([
    { type: "session.error", error: { type: "retries_exhausted", message: expect.stringContaining(item.id) } },
    { type: "session.status_idle", stop_reason: { type: "retries_exhausted" } },
  ]);
  expect(ok(await api.poll(item.environment_id, { query: { reclaim_older_than_ms: 0 } }))).toBeNull();
  ok(await api.send(item.data.id, [MESSAGE]));
  const next = await api.newestWork(item.environment_id);
  expect(next.id > item.id).toBe(true);
  expect(next).toMatchObject({ state: "queued", data: { id: item.data.id } });
});

test("without a limit of attempts an item is queued again as often as it lapses", async () => {
  const item = await api.itemIn("starting", await environmentWith({ max_attempts: 0 }), "w0");
  for (let attempt = 1; attempt <= 8; attempt++) {
    await passes(60 * SECOND);
    await take(item, `w${attempt}`);
  }
  expect(await stateOf(item)).toBe("starting");
});

test("a release and a delivery that nobody acknowledged are no attempts", async () => {
  const item = await api.itemIn("starting", await environmentWith({ max_attempts: 1 }), "w1");
  for (let attempt = 0; attempt < 3; attempt++) {
    ok(await api.on(item, "release"));
    expect(ok(await api.poll(item.environment_id))?.id).toBe(item.id);
    await passes(5 * SECOND);
    await take(item, "w1");
  }
  expect(await stateOf(item)).toBe("starting");
  await passes(60 * SECOND);
  expect(await stateOf(item)).toBe("stopped");
});

test("heartbeats ascend while the clock stands still, steps back, and over a lapse", async () => {
  const item = await api.itemIn("starting", await environmentWith({ start_seconds: 10 }), "w1");
  const seen: string[] = [];
  const beat = async () => void seen.push(ok(await api.beat(item)).last_heartbeat);
  await beat();
  await beat();
  clock.advanceSeconds(-30);
  await beat();
  await passes(120 * SECOND);
  await take(item, "w2");
  clock.advanceSeconds(-100);
  await beat();
  await beat();
  expect(new Set(seen).size).toBe(5);
  expect(seen).toEqual([...seen].sort());
  clock.advanceSeconds(100);
});

test("more leases than one step of a sweep looks at end in the same sweep, and are counted", async () => {
  const environment = await environmentWith({ start_seconds: 10 });
  // Whatever other tests have left behind ends before this one counts.
  await passes(0);
  const before = await server.metric("capstan_leases_lapsed_total");
  const count = 520;
  for (let made = 0; made < count; made += 20) {
    await Promise.all(Array.from({ length: 20 }, () => api.session(environment)));
  }
  const takers = Array.from({ length: 20 }, async () => {
    for (let item = ok(await api.poll(environment)); item !== null; item = ok(await api.poll(environment))) {
      ok(await api.on(item, "ack"));
    }
  });
  await Promise.all(takers);
  expect((await api.stats(environment)).depth).toBe(0);
  clock.advanceSeconds(10);
  await eventually(async () => expect((await api.stats(environment)).depth).toBe(count));
  await eventually(async () => expect(await server.metric("capstan_leases_lapsed_total")).toBe(before + count));
});
