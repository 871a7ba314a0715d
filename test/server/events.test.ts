import { afterAll, beforeAll, expect, test } from "vitest";
import type { List, SessionEvent } from "../../src/contract/shapes.ts";
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
const TEXT = [{ type: "text", text: "x" }];
const EVENT_ID = unknownId("evt_");

test("accepted events come back whole, with an id and a time, in the order in which they were sent", async () => {
  const session = await api.session(await environmentId());
  const sent = [
    {
      type: "user.message",
      content: [
        { type: "text", text: "a" },
        { type: "image", source: { url: "u" } },
      ],
      kept: { as: [1] },
    },
    { type: "user.interrupt" },
    { type: "system.message", content: TEXT },
    { type: "user.define_outcome", description: "done" },
    { type: "user.tool_confirmation", tool_use_id: EVENT_ID, result: "allow" },
    { type: "user.custom_tool_result", custom_tool_use_id: EVENT_ID, content: TEXT },
  ];
  const { data } = ok(await api.send(session.id, sent));
  const stamps = { id: expect.stringMatching(/^evt_/), created_at: expect.stringMatching(/Z$/), processed_at: null };
  expect(data).toEqual(sent.map((event) => ({ ...event, ...stamps })));
  const ids = data.map(({ id }) => id);
  expect(ids).toEqual([...ids].sort());
  expect((await api.events(session.id)).slice(-6)).toEqual(data);
});

test("what only the server writes is not taken from a caller", async () => {
  const session = await api.session(await environmentId());
  const forged = { ...MESSAGE, id: EVENT_ID, created_at: "2000-01-01T00:00:00Z", processed_at: "2000-01-01T00:00:00Z" };
  const [event] = ok(await api.send(session.id, [forged])).data;
  expect(event?.id).not.toBe(EVENT_ID);
  expect(event?.created_at.startsWith("2000")).toBe(false);
  expect(event?.processed_at).toBeNull();
});

const BAD_EVENTS: readonly { event: unknown; param: string }[] = [
  { event: { type: "user.message" }, param: "content" },
  { event: { type: "user.message", content: "a bare string" }, param: "content" },
  { event: { type: "user.message", content: [] }, param: "content" },
  { event: { type: "user.message", content: ["text"] }, param: "content[0]" },
  { event: { type: "user.message", content: [{}] }, param: "content[0].type" },
  { event: { type: "user.message", content: [{ type: "text" }] }, param: "content[0].text" },
  { event: { type: "user.message", content: [{ type: "text", text: 1 }] }, param: "content[0].text" },
  { event: { type: "system.message" }, param: "content" },
  { event: { type: "user.tool_confirmation", result: "allow" }, param: "tool_use_id" },
  { event: { type: "user.tool_confirmation", tool_use_id: EVENT_ID, result: "maybe" }, param: "result" },
  { event: { type: "user.custom_tool_result" }, param: "custom_tool_use_id" },
  { event: { type: "user.tool_result", tool_use_id: "x" }, param: "tool_use_id" },
  { event: { type: "user.define_outcome" }, param: "description" },
  { event: { type: "agent.message" }, param: "content" },
  { event: { type: "session.error" }, param: "error" },
  { event: { type: "session.status_idle" }, param: "type" },
  { event: { type: "session.status_running" }, param: "type" },
  { event: { type: "user.unheard_of" }, param: "type" },
  { event: { type: "agent." }, param: "type" },
  { event: { type: "agent. message" }, param: "type" },
  { event: { type: "constructor" }, param: "type" },
  { event: { type: "" }, param: "type" },
  { event: {}, param: "type" },
];

test.each(BAD_EVENTS)(
  "the event $event is refused for its $param, and nothing of its call is kept",
  async ({ event, param }) => {
    const environment = await environmentId();
    const session = await api.session(environment, { initial_events: [] });
    const fault = refused(await api.send(session.id, [MESSAGE, event]), 400, "invalid_request_error");
    expect(fault.param).toBe(`events[1].${param}`);
    const created = await server.call("POST", "/sessions", {
      body: { environment_id: environment, initial_events: [event] },
    });
    expect(refused(created, 400).param).toBe(`initial_events[0].${param}`);
    expect(await api.events(session.id)).toEqual([]);
    expect((await api.stats(environment)).depth).toBe(0);
  },
);

test("a call holds at least one event and at most a thousand", async () => {
  const session = await api.session(await environmentId());
  expect(refused(await api.send(session.id, []), 400).param).toBe("events");
  expect(refused(await api.send(session.id, Array(1_001).fill(MESSAGE)), 400).param).toBe("events");
  expect(ok(await api.send(session.id, Array(1_000).fill({ type: "user.interrupt" }))).data).toHaveLength(1_000);
});

test("events of the agent come only from the worker that holds the session", async () => {
  const environment = await environmentId();
  const { token } = await api.token("worker", environment);
  const client = (await api.token("client")).token;
  const session = await api.session(environment, { initial_events: [] });
  refused(await api.send(session.id, [REPLY], { token }), 403, "permission_error");
  ok(await api.send(session.id, [MESSAGE]));
  const item = await api.newestWork(environment);
  ok(await api.poll(environment, { worker: "w1", token }));
  ok(await api.on(item, "ack", { worker: "w1", token }));
  refused(await api.send(session.id, [REPLY], { worker: "w2", token }), 403, "permission_error");
  refused(await api.send(session.id, [REPLY], { token: client }), 403, "permission_error");
  ok(await api.send(session.id, [REPLY], { worker: "w1", token }));
  ok(await api.send(session.id, [REPLY], { token }));
  const written = await api.events(session.id);
  expect(written.filter(({ type }) => type === "agent.message")).toHaveLength(2);
  ok(await api.on(item, "stop", { worker: "w1", token, body: { force: true } }));
  refused(await api.send(session.id, [REPLY], { worker: "w1", token }), 403, "permission_error");
  expect((await api.events(session.id)).filter(({ type }) => type === "agent.message")).toHaveLength(2);
});

test("a new session has no worker, so none of its initial events comes from one", async () => {
  const environment = await environmentId();
  const result = { type: "user.tool_result", tool_use_id: EVENT_ID, content: TEXT };
  const client = (await api.token("client")).token;
  for (const token of [undefined, client]) {
    for (const events of [[REPLY], [MESSAGE, { type: "span.begin" }], [result, result]]) {
      const body = { environment_id: environment, initial_events: events };
      const created = await server.call("POST", "/sessions", { body, ...(token && { token }) });
      expect(refused(created, 403, "permission_error").message).toContain(
        `initial_events[${events.indexOf(MESSAGE) + 1}]`,
      );
    }
  }
  expect((await api.stats(environment)).depth).toBe(0);
});

test("a worker sends no events of users, and no call mixes in what its sender may not send", async () => {
  const environment = await environmentId();
  const { token } = await api.token("worker", environment);
  const client = (await api.token("client")).token;
  const item = await api.itemIn("active", environment, "w1");
  for (const events of [[MESSAGE], [REPLY, MESSAGE]]) {
    refused(await api.send(item.data.id, events, { worker: "w1", token }), 403, "permission_error");
    refused(await api.send(item.data.id, [REPLY, ...events], { token: client }), 403, "permission_error");
  }
  const before = await api.events(item.data.id);
  ok(await api.send(item.data.id, [MESSAGE], { token: client }));
  expect(await api.events(item.data.id)).toHaveLength(before.length + 1);
});

test("the first result of a tool use wins", async () => {
  const item = await api.itemIn("active", await environmentId(), "w1");
  const [use] = ok(await api.send(item.data.id, [{ type: "agent.tool_use", name: "sh" }], { worker: "w1" })).data;
  const result = { type: "user.tool_result", tool_use_id: use?.id, content: TEXT };
  const twice = await api.send(item.data.id, [result, result], { worker: "w1" });
  expect(refused(twice, 400, "invalid_request_error").param).toBe("events[1].tool_use_id");
  const answers = await Promise.all([1, 2, 3, 4].map(() => api.send(item.data.id, [result], { worker: "w1" })));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400]);
  const kept = (await api.events(item.data.id)).filter(({ type }) => type === "user.tool_result");
  expect(kept).toHaveLength(1);
});

test("events are listed in both orders, by type, and by pages that give each once", async () => {
  const session = await api.session(await environmentId(), { initial_events: [] });
  const sent = Array.from({ length: 7 }, (_, index) =>
    index % 2 === 0 ? { type: "user.interrupt" } : { type: "system.message", content: TEXT },
  );
  const all = ok(await api.send(session.id, sent)).data;
  const list = async (query: Record<string, string>) =>
    ok(await server.call<List<SessionEvent>>("GET", `/sessions/${session.id}/events`, { query }));
  expect((await list({})).data).toEqual(all);
  expect((await list({ order: "desc" })).data).toEqual([...all].reverse());
  const interrupts = all.filter(({ type }) => type === "user.interrupt");
  expect((await list({ types: "user.interrupt" })).data).toEqual(interrupts);
  expect((await list({ types: "user.interrupt,system.message" })).data).toEqual(all);
  for (const order of ["asc", "desc"]) {
    const seen: string[] = [];
    let page = await list({ order, limit: "3" });
    for (;;) {
      seen.push(...page.data.map(({ id }) => id));
      expect(page.next_page).toBe(page.has_more ? page.last_id : null);
      if (page.next_page === null) break;
      page = await list({ order, limit: "3", page: page.next_page });
    }
    const ids = all.map(({ id }) => id);
    expect(seen).toEqual(order === "asc" ? ids : ids.reverse());
  }
  expect((await list({ before_id: all[5]?.id ?? "", limit: "2" })).data).toEqual(all.slice(3, 5));
  expect((await list({ order: "desc", after_id: all[5]?.id ?? "", limit: "2" })).data).toEqual([all[4], all[3]]);
});

test.each(["a\u0000b", "\ud800", "\u2028\u2029", "😀".repeat(300), "__proto__"])(
  "the text %j survives as it is",
  async (text) => {
    const environment = await environmentId();
    const events = [{ type: "user.message", content: [{ type: "text", text }], [`k${text}`]: text }];
    const session = await api.session(environment, { initial_events: events });
    expect((await api.events(session.id))[0]).toMatchObject(events[0] ?? {});
  },
);
