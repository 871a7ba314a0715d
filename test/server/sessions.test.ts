import { afterAll, beforeAll, expect, test } from "vitest";
import type { List, Session, SessionEvent, Work } from "../../src/contract/shapes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, MESSAGE, ok, REPLY, refused, unknownId } from "./support/api.ts";

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
});
afterAll(() => server.stop());

const environmentId = async (): Promise<string> => (await api.environment()).id;
const create = (body: unknown) => server.call<Session>("POST", "/sessions", { body });
const on = (session: { id: string }, verb: string) => server.call<Session>("POST", `/sessions/${session.id}/${verb}`);
const remove = (session: { id: string }) => server.call<{ id: string }>("DELETE", `/sessions/${session.id}`);
const items = async (environment: string): Promise<Work[]> =>
  ok(await server.call<List<Work>>("GET", `/environments/${environment}/work`)).data;
const types = async (sessionId: string): Promise<string[]> => (await api.events(sessionId)).map(({ type }) => type);
const last = async (sessionId: string): Promise<SessionEvent | undefined> => (await api.events(sessionId)).at(-1);

test("a session shows what it was made of, and all of its fields", async () => {
  const environment = await environmentId();
  const made = ok(await create({ environment_id: environment, title: "t", metadata: { team: "a" } }));
  expect(made).toEqual({
    id: expect.stringMatching(/^sess_[0-9a-f]{32}$/),
    type: "session",
    agent: null,
    environment_id: environment,
    title: "t",
    status: "idle",
    metadata: { team: "a" },
    resources: [],
    vault_ids: [],
    stats: { active_seconds: 0, duration_seconds: 0 },
    usage: {},
    archived_at: null,
    created_at: expect.stringMatching(/\.\d{6}Z$/),
    updated_at: made.created_at,
  });
  expect(ok(await api.getSession(made.id))).toEqual({ ...made, stats: expect.anything() });
});

test("a session without input has no item; its first message queues one, and further ones none", async () => {
  const environment = await environmentId();
  const session = ok(await create({ environment_id: environment }));
  expect(await items(environment)).toEqual([]);
  ok(await api.send(session.id, [{ type: "system.message", content: [{ type: "text", text: "x" }] }]));
  ok(await api.send(session.id, [{ type: "user.interrupt" }]));
  expect(await items(environment)).toEqual([]);
  ok(await api.send(session.id, [MESSAGE]));
  ok(await api.send(session.id, [MESSAGE, MESSAGE]));
  expect(await items(environment)).toMatchObject([{ state: "queued", data: { type: "session", id: session.id } }]);
  expect(ok(await api.getSession(session.id)).status).toBe("running");
});

test("any initial event queues an item, at most fifty are taken", async () => {
  const environment = await environmentId();
  const quiet = { type: "system.message", content: [{ type: "text", text: "x" }] };
  const many = { environment_id: environment, initial_events: Array(51).fill(MESSAGE) };
  expect(refused(await create(many), 400).param).toBe("initial_events");
  expect(await items(environment)).toEqual([]);
  const session = await api.session(environment, { initial_events: [quiet] });
  expect(await types(session.id)).toEqual(["system.message", "session.status_running"]);
  expect(await items(environment)).toHaveLength(1);
  ok(await create({ environment_id: environment, initial_events: Array(50).fill(MESSAGE) }));
});

test("what a self_hosted environment has no place for is refused by name", async () => {
  const environment = await environmentId();
  for (const [param, value] of [
    ["resources", [{ type: "file" }]],
    ["environment_variables", { A: "b" }],
    ["vault_ids", ["x"]],
  ] as const) {
    const fault = refused(await create({ environment_id: environment, [param]: value }), 400, "invalid_request_error");
    expect(fault.param).toBe(param);
  }
  ok(await create({ environment_id: environment, resources: [], environment_variables: {}, vault_ids: [] }));
});

test("a session needs an environment that exists and has a queue", async () => {
  expect(refused(await create({}), 400).param).toBe("environment_id");
  refused(await create({ environment_id: unknownId("env_") }), 404, "not_found_error");
  const cloud = ok(await server.call<{ id: string }>("POST", "/environments", { body: { name: "cloud" } }));
  const fault = refused(await create({ environment_id: cloud.id }), 400, "invalid_request_error");
  expect(fault).toMatchObject({ param: "environment_id", message: expect.stringContaining("self_hosted") });
});

test("a turn goes from running to idle, and the worker's answers stand between", async () => {
  const environment = await environmentId();
  const item = await api.itemIn("active", environment, "w1");
  ok(await api.send(item.data.id, [REPLY], { worker: "w1" }));
  ok(await api.on(item, "stop", { worker: "w1" }));
  expect(ok(await api.getSession(item.data.id)).status).toBe("running");
  ok(await api.on(item, "stop", { worker: "w1" }));
  expect(ok(await api.getSession(item.data.id)).status).toBe("idle");
  expect(await types(item.data.id)).toEqual([
    "user.message",
    "session.status_running",
    "agent.message",
    "session.status_idle",
  ]);
  expect(await last(item.data.id)).toMatchObject({ stop_reason: { type: "end_turn" } });
  const [message] = await api.events(item.data.id);
  expect(message?.processed_at).not.toBeNull();
});

test.each([
  { how: "came after the ack and was not replied to", reply: false, through: undefined, again: true },
  { how: "came after the ack and was replied to", reply: true, through: undefined, again: false },
  { how: "comes after what the worker says it has dealt with", reply: true, through: "first", again: true },
  { how: "is what the worker says it has dealt with", reply: false, through: "second", again: false },
] as const)("input that $how brings the session back: $again", async ({ reply, through, again }) => {
  const environment = await environmentId();
  const item = await api.itemIn("active", environment, "w1");
  const [first] = await api.events(item.data.id);
  const second = ok(await api.send(item.data.id, [MESSAGE])).data[0];
  if (reply) ok(await api.send(item.data.id, [REPLY], { worker: "w1" }));
  const told = { first: first?.id, second: second?.id };
  const body = through === undefined ? { force: true } : { force: true, processed_through: told[through] };
  ok(await api.on(item, "stop", { worker: "w1", body }));
  expect(ok(await api.getSession(item.data.id)).status).toBe(again ? "running" : "idle");
  const now = await items(environment);
  expect(now.map(({ state }) => state)).toEqual(again ? ["stopped", "queued"] : ["stopped"]);
});

test("stopping a queued item cancels its turn, and nothing is queued again", async () => {
  const environment = await environmentId();
  const item = await api.queued(environment);
  ok(await api.on(item, "stop"));
  expect(await items(environment)).toHaveLength(1);
  expect(await last(item.data.id)).toMatchObject({ type: "session.status_idle", stop_reason: { type: "cancelled" } });
});

test("a cancel asks the worker to stop, and what was asked before it never comes back", async () => {
  const environment = await environmentId();
  const item = await api.itemIn("active", environment, "w1");
  ok(await api.send(item.data.id, [MESSAGE]));
  const canceled = ok(await on(item.data, "cancel"));
  expect(canceled.status).toBe("canceling");
  expect(ok(await api.getWork(item))).toMatchObject({ state: "stopping" });
  expect(ok(await on(item.data, "cancel")).status).toBe("canceling");
  ok(await api.on(item, "stop", { worker: "w1" }));
  expect(await last(item.data.id)).toMatchObject({ stop_reason: { type: "cancelled" } });
  expect(await items(environment)).toHaveLength(1);
  const shown = ok(await api.getSession(item.data.id));
  const idle = ok(await on(item.data, "cancel"));
  expect(idle.stats.duration_seconds).toBeGreaterThanOrEqual(shown.stats.duration_seconds);
  expect(idle.status).toBe("idle");
});

test("input after a cancel brings the session back", async () => {
  const environment = await environmentId();
  const item = await api.itemIn("active", environment, "w1");
  ok(await on(item.data, "cancel"));
  ok(await api.send(item.data.id, [MESSAGE]));
  ok(await api.on(item, "stop", { worker: "w1" }));
  expect(await items(environment)).toMatchObject([{ state: "stopped" }, { state: "queued" }]);
  expect(ok(await api.getSession(item.data.id)).status).toBe("running");
});

test.each(["queued", "starting", "active", "stopping"] as const)(
  "archiving a session stops its %s item for good and ends the session",
  async (state) => {
    const environment = await environmentId();
    const item = await api.itemIn(state, environment, "w1");
    ok(await api.send(item.data.id, [MESSAGE]));
    const archived = ok(await on(item.data, "archive"));
    expect(archived).toMatchObject({ status: "terminated", archived_at: expect.any(String) });
    expect(ok(await api.getWork(item)).state).toBe("stopped");
    expect(await items(environment)).toHaveLength(1);
    expect(await last(item.data.id)).toMatchObject({ type: "session.status_terminated" });
    refused(await on(item.data, "archive"), 409, "conflict_error");
    refused(await on(item.data, "cancel"), 409, "conflict_error");
    refused(await api.send(item.data.id, [MESSAGE]), 409, "conflict_error");
    refused(await server.call("POST", `/sessions/${item.data.id}`, { body: { title: "t" } }), 409, "conflict_error");
  },
);

test.each(["queued", "starting", "active", "stopping"] as const)(
  "deleting a session stops its %s item for good and takes its events with it",
  async (state) => {
    const environment = await environmentId();
    const item = await api.itemIn(state, environment, "w1");
    expect(ok(await remove(item.data))).toEqual({ id: item.data.id, type: "session_deleted" });
    expect(ok(await api.getWork(item)).state).toBe("stopped");
    const path = `/sessions/${item.data.id}`;
    for (const answer of [
      await server.call("GET", path),
      await server.call("POST", path, { body: {} }),
      await server.call("DELETE", path),
      await server.call("GET", `${path}/events`),
      await api.send(item.data.id, [MESSAGE]),
      await on(item.data, "archive"),
      await on(item.data, "cancel"),
    ]) {
      refused(answer, 404, "not_found_error");
    }
    expect(await items(environment)).toMatchObject([{ state: "stopped", data: { id: item.data.id } }]);
  },
);

test("an update changes what it names and keeps the rest", async () => {
  const session = await api.session(await environmentId(), { title: "t", metadata: { kept: "1", dropped: "2" } });
  const update = (body: unknown) => server.call<Session>("POST", `/sessions/${session.id}`, { body });
  expect(ok(await update({ title: "other" }))).toMatchObject({ title: "other", metadata: session.metadata });
  expect(ok(await update({ metadata: { dropped: null, added: "3" } }))).toMatchObject({
    title: "other",
    metadata: { kept: "1", added: "3" },
  });
  expect(ok(await update({ title: null })).title).toBeNull();
  expect(ok(await api.getSession(session.id)).metadata).toEqual({ kept: "1", added: "3" });
});

test("a list is newest first and can be narrowed down", async () => {
  const environment = await environmentId();
  const other = await environmentId();
  const made: Session[] = [];
  for (let index = 0; index < 4; index++) made.unshift(ok(await create({ environment_id: environment })));
  const running = await api.session(environment);
  await api.session(other);
  const [archived] = made;
  ok(await on(archived as Session, "archive"));
  const list = async (query: Record<string, string>) => {
    const scoped = { environment_id: environment, limit: "100", ...query };
    return ok(await server.call<List<Session>>("GET", "/sessions", { query: scoped })).data.map(({ id }) => id);
  };
  const kept = [running.id, ...made.slice(1).map(({ id }) => id)];
  expect(await list({})).toEqual(kept);
  expect(await list({ include_archived: "true" })).toEqual([running.id, ...made.map(({ id }) => id)]);
  expect(await list({ statuses: "running" })).toEqual([running.id]);
  expect(await list({ statuses: "running,idle" })).toEqual(kept);
  expect(await list({ statuses: "terminated", include_archived: "true" })).toEqual([archived?.id]);
  expect(await list({ after_id: running.id, limit: "2" })).toEqual(kept.slice(1, 3));
  expect(await list({ before_id: kept[3] ?? "", limit: "2" })).toEqual(kept.slice(1, 3));
  const repeated = await server.call<List<Session>>("GET", "/sessions", { query: "statuses=running&statuses=idle" });
  expect(new Set(ok(repeated).data.map(({ status }) => status))).toEqual(new Set(["running", "idle"]));
});
