/** Two things at once, over and over. Which of them comes first is left to chance; either order has to be right. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Session, SessionEvent, Work } from "../../src/contract/shapes.ts";
import { type Answer, startTestServer, type TestServer } from "../support/server.ts";
import { Api, itemPath, MESSAGE, ok, refused } from "./support/api.ts";
import { readAll } from "./support/load.ts";

const ROUNDS = 25;

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
});
afterAll(() => server.stop());

const environmentId = async (): Promise<string> => (await api.environment()).id;
const times = <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));
const statuses = (answers: readonly Answer<unknown>[]): number[] => answers.map(({ status }) => status).sort();
const items = (environment: string): Promise<Work[]> => readAll<Work>(api, `/environments/${environment}/work`);

/** Does two things at once, in either order of sending. */
async function race(round: number, first: () => Promise<unknown>, second: () => Promise<unknown>): Promise<void> {
  await Promise.all(round % 2 === 0 ? [first(), second()] : [second(), first()]);
}

const unanswered = (events: readonly SessionEvent[]): SessionEvent[] =>
  events.filter(({ type, processed_at }) => type === "user.message" && processed_at === null);

const STOPS = [
  { what: "a forced stop of an active item", state: "active", body: { force: true } },
  { what: "the end of a stopping item", state: "stopping", body: {} },
  { what: "a forced stop of a starting item", state: "starting", body: { force: true } },
] as const;

test.each(STOPS)("a message that races with $what keeps the session going", async ({ state, body }) => {
  const environment = await environmentId();
  for (let round = 0; round < ROUNDS; round++) {
    const item = await api.itemIn(state, environment, "w1");
    const send = async () => ok(await api.send(item.data.id, [MESSAGE]));
    const stop = async () => ok(await api.on(item, "stop", { body, worker: "w1" }));
    await race(round, send, stop);
    const next = await api.newestWork(environment);
    expect(next).toMatchObject({ state: "queued", data: item.data });
    expect(next.id).not.toBe(item.id);
    expect(ok(await api.getSession(item.data.id)).status).toBe("running");
    expect(unanswered(await api.events(item.data.id))).toHaveLength(1);
    ok(await api.on(next, "stop"));
  }
});

test("a message that races with the stop of a queued item is cancelled with it, or begins a turn of its own", async () => {
  const environment = await environmentId();
  for (let round = 0; round < ROUNDS; round++) {
    const item = await api.queued(environment);
    const send = async () => ok(await api.send(item.data.id, [MESSAGE]));
    await race(round, send, async () => ok(await api.on(item, "stop")));
    const waits = unanswered(await api.events(item.data.id)).length;
    const next = await api.newestWork(environment);
    expect(next.id === item.id ? 0 : 1).toBe(waits);
    if (waits > 0) ok(await api.on(next, "stop"));
  }
});

test("a message that races with an archive leaves no live item behind", async () => {
  const environment = await environmentId();
  for (let round = 0; round < ROUNDS; round++) {
    const item = await api.itemIn(round % 3 === 0 ? "queued" : "active", environment, "w1");
    let sent = 0;
    const send = async () => {
      sent = (await api.send(item.data.id, [MESSAGE])).status;
    };
    await race(round, send, async () => ok(await server.call("POST", `/sessions/${item.data.id}/archive`)));
    expect([200, 409]).toContain(sent);
    expect(ok(await api.getSession(item.data.id)).status).toBe("terminated");
  }
  expect((await items(environment)).filter(({ state }) => state !== "stopped")).toEqual([]);
});

test("many messages at once queue one item", async () => {
  const environment = await environmentId();
  const session = await api.session(environment, { initial_events: [] });
  const answers = await times(20, () => api.send(session.id, [MESSAGE, MESSAGE]));
  expect(new Set(statuses(answers))).toEqual(new Set([200]));
  expect(await items(environment)).toHaveLength(1);
  const events = await api.events(session.id);
  expect(events).toHaveLength(41);
  const ids = events.map(({ id }) => id);
  expect(ids).toEqual([...ids].sort());
});

test("of many acks under different names one succeeds", async () => {
  const environment = await environmentId();
  for (let round = 0; round < 5; round++) {
    const item = await api.queued(environment);
    ok(await api.poll(environment));
    const answers = await times(8, (index) => api.on(item, "ack", { worker: `w${index}` }));
    expect(statuses(answers)).toEqual([200, 409, 409, 409, 409, 409, 409, 409]);
    ok(await api.on(item, "stop", { body: { force: true } }));
  }
});

test("of many first heartbeats one succeeds, and of many on the same value as well", async () => {
  const item = await api.itemIn("starting", await environmentId(), "w1");
  let expected = "NO_HEARTBEAT";
  for (let round = 0; round < 5; round++) {
    const answers = await times(8, () => api.beat(item, expected, { worker: "w1" }));
    expect(statuses(answers)).toEqual([200, 412, 412, 412, 412, 412, 412, 412]);
    expected = ok(answers.find(({ status }) => status === 200) as (typeof answers)[number]).last_heartbeat;
  }
});

test("of many stops at once the first asks, and none but the others end it", async () => {
  const item = await api.itemIn("active", await environmentId(), "w1");
  const answers = (await times(8, () => api.on(item, "stop"))).map(ok);
  const states = answers.map(({ state }) => state).sort();
  expect(states).toEqual(["stopped", "stopped", "stopped", "stopped", "stopped", "stopped", "stopped", "stopping"]);
  expect(new Set(answers.map(({ stop_requested_at }) => stop_requested_at)).size).toBe(1);
});

test("patches of different keys at once all survive, also while the item moves on", async () => {
  const item = await api.itemIn("starting", await environmentId(), "w1");
  const patches = times(16, async (index) =>
    ok(await server.call("POST", itemPath(item), { body: { metadata: { [`k${index}`]: String(index) } } })),
  );
  const moves = [api.beat(item), api.on(item, "stop"), api.beat(item), api.on(item, "stop")];
  await Promise.all([patches, ...moves]);
  const after = ok(await api.getWork(item));
  expect(after.state).toBe("stopped");
  expect(after.metadata).toEqual(
    Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`k${index}`, String(index)])),
  );
});

test("an environment is deleted, or gets a session, but not both", async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const environment = await environmentId();
    const outcome: { created?: Answer<Session>; deleted?: Answer<unknown> } = {};
    const create = async () => {
      outcome.created = await server.call("POST", "/sessions", { body: { environment_id: environment } });
    };
    const remove = async () => {
      outcome.deleted = await server.call("DELETE", `/environments/${environment}`);
    };
    await race(round, create, remove);
    const { created, deleted } = outcome;
    if (deleted?.status === 200) refused(created as Answer<unknown>, 404);
    else {
      refused(deleted as Answer<unknown>, 409);
      ok(await api.getSession(ok(created as Answer<Session>).id));
    }
  }
});

test("pages give what was there throughout once and in order, while more comes", async () => {
  const environment = await environmentId();
  await times(60, () => api.session(environment));
  const there = (await items(environment)).map(({ id }) => id);
  let reading = true;
  const writing = (async () => {
    while (reading) await times(5, () => api.session(environment));
  })();
  const seen = await readAll<Work>(api, `/environments/${environment}/work`, { limit: 7 });
  reading = false;
  await writing;
  const ids = seen.map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)].sort());
  const known = new Set(there);
  expect(ids.filter((id) => known.has(id))).toEqual(there);
});

test("polls at once share nothing: each item goes to one of them", async () => {
  const environment = await environmentId();
  await times(40, () => api.session(environment));
  const query = { reclaim_older_than_ms: 3_600_000 };
  const polled = (await times(64, (index) => api.poll(environment, { worker: `w${index}`, query }))).map(ok);
  const got = polled.flatMap((item) => item?.id ?? []);
  expect(got).toHaveLength(40);
  expect(new Set(got).size).toBe(40);
});
