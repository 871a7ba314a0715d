import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionEvent } from "../../src/contract/shapes.ts";
import { eventually } from "../support/eventually.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, MESSAGE, ok, unknownId } from "./support/api.ts";
import { openStream } from "./support/stream.ts";

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
});
afterAll(() => server.stop());

const newSession = async (): Promise<string> => (await api.session((await api.environment()).id)).id;
const say = async (sessionId: string, ...texts: string[]): Promise<SessionEvent[]> => {
  const events = texts.map((text) => ({ type: "system.message", content: [{ type: "text", text }] }));
  return ok(await api.send(sessionId, events)).data;
};
const idsOf = (events: readonly SessionEvent[]): string[] => events.map(({ id }) => id);
/** Long enough that an event which is wrongly sent would have come: the next one of the same stream has. */
const nextOf = async (sessionId: string) => idsOf(await say(sessionId, "next"))[0] as string;

test("a stream is server-sent events that nobody may keep or hold back", async () => {
  const stream = await openStream(server, await newSession(), { headers: { "x-request-id": "mine" } });
  expect(stream.status).toBe(200);
  expect(stream.headers).toMatchObject({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
    "x-request-id": "mine",
    connection: "close",
  });
  expect(stream.headers).not.toHaveProperty("transfer-encoding");
  await eventually(() => expect(stream.text()).toBe("retry: 1000\n\n"));
});

test("each event is a frame with its id, its type and the event as the list has it", async () => {
  const sessionId = await newSession();
  const stream = await openStream(server, sessionId);
  const text = "two\nlines, \r\n a CR \r, U+2028 \u2028, U+0085 \u0085, 😀 and a NUL \u0000";
  const [sent] = await say(sessionId, text);
  await stream.atLeast(1);
  const json = JSON.stringify((await api.events(sessionId)).at(-1));
  const data = json.replaceAll("\u2028", "\\u2028").replaceAll("\u0085", "\\u0085");
  expect(stream.text()).toBe(`retry: 1000\n\nid: ${sent?.id}\nevent: system.message\ndata: ${data}\n\n`);
  expect(stream.events()).toEqual([sent]);
});

describe("without a position, a stream", () => {
  test("holds only what comes from now on", async () => {
    const sessionId = await newSession();
    await say(sessionId, "before");
    const stream = await openStream(server, sessionId);
    const sent = idsOf(await say(sessionId, "one", "two"));
    expect(await stream.atLeast(2)).toEqual(sent);
  });

  test("holds everything when the session has no event yet", async () => {
    const environmentId = (await api.environment()).id;
    const { id } = await api.session(environmentId, { initial_events: [] });
    const stream = await openStream(server, id);
    ok(await api.send(id, [MESSAGE]));
    await stream.atLeast(2);
    expect(stream.events()).toEqual(await api.events(id));
  });
});

describe("with a position, a stream", () => {
  test.each(["Last-Event-ID", "after_id"])("in %s holds everything after it, and goes on", async (where) => {
    const sessionId = await newSession();
    const before = idsOf(await say(sessionId, "a", "b", "c"));
    const from = before[0] as string;
    const request = where === "after_id" ? { query: `after_id=${from}` } : { lastEventId: from };
    const stream = await openStream(server, sessionId, request);
    expect(await stream.atLeast(2)).toEqual(before.slice(1));
    const after = await nextOf(sessionId);
    expect(await stream.atLeast(3)).toEqual([...before.slice(1), after]);
  });

  test("believes Last-Event-ID, when there is an after_id too", async () => {
    const sessionId = await newSession();
    const [first, second, third] = idsOf(await say(sessionId, "a", "b", "c"));
    const stream = await openStream(server, sessionId, { lastEventId: second, query: `after_id=${first}` });
    expect(await stream.atLeast(1)).toEqual([third]);
  });

  test("counts an empty Last-Event-ID as none, as browsers send it", async () => {
    const sessionId = await newSession();
    const stream = await openStream(server, sessionId, { lastEventId: "" });
    expect(await Promise.all([stream.atLeast(1), nextOf(sessionId)])).toEqual([
      [expect.any(String)],
      expect.any(String),
    ]);
    expect(stream.ids()).toHaveLength(1);
  });

  test("that names no event begins there all the same", async () => {
    const sessionId = await newSession();
    const all = idsOf(await api.events(sessionId));
    const first = await openStream(server, sessionId, { lastEventId: unknownId("evt_") });
    expect(await first.atLeast(2)).toEqual(all);
  });

  test("beyond the end waits for that, and holds nobody else back", async () => {
    const sessionId = await newSession();
    const future = await openStream(server, sessionId, { lastEventId: `evt_${"f".repeat(32)}` });
    const [stream, resumed] = [
      await openStream(server, sessionId),
      await openStream(server, sessionId, { lastEventId: unknownId("evt_") }),
    ];
    await resumed.atLeast(2);
    const id = await nextOf(sessionId);
    expect(await stream.atLeast(1)).toEqual([id]);
    expect((await resumed.atLeast(3)).at(-1)).toBe(id);
    const next = await nextOf(sessionId);
    expect(await stream.atLeast(2)).toEqual([id, next]);
    expect(future.ids()).toEqual([]);
  });
});

test.each([
  "text/event-stream",
  "Text/Event-Stream",
  "text/event-stream, application/json;q=0.5",
  "application/json, text/event-stream",
  "application/json;q=0, text/event-stream ; q=0.01",
])("the list of events is the same stream for whoever accepts %s", async (accept) => {
  const sessionId = await newSession();
  const [first] = idsOf(await say(sessionId, "a", "b"));
  const request = { path: "events", headers: { accept } };
  const resumed = await openStream(server, sessionId, { ...request, lastEventId: first });
  const after = await openStream(server, sessionId, { ...request, query: `after_id=${first}` });
  const tail = await openStream(server, sessionId, request);
  expect(await resumed.atLeast(1)).toEqual(await after.atLeast(1));
  const next = await nextOf(sessionId);
  expect(await tail.atLeast(1)).toEqual([next]);
  expect(tail.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
});

test.each([
  "application/json",
  "*/*",
  "text/event-stream;q=0",
  "application/json, text/event-stream; q=0.000, text/html",
  "text/event-streams",
])("the list of events is a list for whoever accepts %s", async (accept) => {
  const sessionId = await newSession();
  const { body } = await server.call("GET", `/sessions/${sessionId}/events`, { headers: { accept } });
  expect(body).toMatchObject({ data: expect.any(Array), has_more: false });
});

test.each(["application/json", "*/*", "text/html", "text/event-stream;q=0", ""])(
  "a stream is a stream for whoever accepts %j",
  async (accept) => {
    const sessionId = await newSession();
    const stream = await openStream(server, sessionId, { headers: { accept } });
    expect(await Promise.all([nextOf(sessionId), stream.atLeast(1)])).toHaveLength(2);
  },
);

test("events of another session do not come", async () => {
  const [mine, other] = [await newSession(), await newSession()];
  const stream = await openStream(server, mine);
  await say(other, "elsewhere");
  const id = await nextOf(mine);
  expect(await stream.atLeast(1)).toEqual([id]);
});

test("what the server does to the session comes too, in the order of the list", async () => {
  const { id: environmentId } = await api.environment();
  const { id } = await api.session(environmentId, { initial_events: [] });
  const stream = await openStream(server, id);
  ok(await api.send(id, [MESSAGE]));
  const item = await api.newestWork(environmentId);
  ok(await api.on(item, "ack"));
  ok(await api.send(id, [{ type: "agent.message", content: [] }]));
  ok(await api.on(item, "stop", { body: { force: true } }));
  ok(await server.call("POST", `/sessions/${id}/archive`));
  await stream.atLeast(5);
  expect(stream.events().map(({ type }) => type)).toEqual([
    ...["user.message", "session.status_running", "agent.message"],
    ...["session.status_idle", "session.status_terminated"],
  ]);
  expect(stream.ids()).toEqual(idsOf(await api.events(id)));
});

test.each([
  ["unknown session", unknownId("sess_"), {}, 404],
  ["malformed session", "sess_1", {}, 404],
  ["malformed Last-Event-ID", undefined, { lastEventId: "evt_1" }, 400],
  ["position of another kind", undefined, { lastEventId: unknownId("work_") }, 400],
  ["malformed after_id", undefined, { query: "after_id=x" }, 400],
  ["unknown token", undefined, { token: "cpt_unknown" }, 401],
])("an %s is refused with JSON, before a stream begins", async (_, session, request, status) => {
  const answer = await openStream(server, session ?? (await newSession()), request);
  await answer.closed;
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.text())).toMatchObject({ type: "error", request_id: answer.headers["x-request-id"] });
});

test("a worker follows the sessions of its environment and no others", async () => {
  const [mine, other] = [await api.environment(), await api.environment()];
  const { token } = await api.token("worker", mine.id);
  const own = await openStream(server, (await api.session(mine.id)).id, { token });
  const foreign = await openStream(server, (await api.session(other.id)).id, { token });
  const nothing = await openStream(server, unknownId("sess_"), { token });
  expect([own.status, foreign.status, nothing.status]).toEqual([200, 403, 403]);
});
