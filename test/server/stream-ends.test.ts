/** How streams end, and what keeps them open. */
import { describe, expect, onTestFinished, test } from "vitest";
import { BASE_PATH, OPERATIONS } from "../../src/contract/operations.ts";
import { type Store, StoreUnavailable } from "../../src/storage/store.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { intercepting } from "../support/intercepting.ts";
import { head, rawCall } from "../support/raw-http.ts";
import { startTestServer, type TestServerOptions } from "../support/server.ts";
import { Api, MESSAGE, ok, refused } from "./support/api.ts";
import { around } from "./support/stores.ts";
import { type OpenStream, openStream } from "./support/stream.ts";

const OTHER = { type: "system.message", content: [{ type: "text", text: "x" }] };

const LARGE = { ...OTHER, content: [{ type: "text", text: "x".repeat(1_000_000) }] };
/** More of them than the system takes for a connection, so that the rest waits in the server. */
const LARGE_EVENTS = 20;

async function startApi(options: TestServerOptions = {}) {
  const server = await startTestServer(options);
  onTestFinished(() => server.stop());
  const api = new Api(server);
  return { server, api, environment: await api.environment() };
}

/** Waits until a stream is one that events go out on at once: until then, its end would show nothing. */
async function live(stream: OpenStream, api: Api, sessionId: string): Promise<void> {
  const before = stream.ids().length;
  ok(await api.send(sessionId, [OTHER]));
  await stream.atLeast(before + 1);
}

test("a comment goes over every stream at its interval, whether events do or not", async () => {
  const { server, api, environment } = await startApi({ streamKeepAliveMs: 40 });
  const { id } = await api.session(environment.id);
  const [quiet, busy] = [
    await openStream(server, id, { replica: 0 }),
    await openStream(server, id, { lastEventId: "" }),
  ];
  for (let round = 0; round < 4; round++) await live(busy, api, id);
  await eventually(() => expect(Math.min(quiet.comments(), busy.comments())).toBeGreaterThanOrEqual(3));
  expect(quiet.text()).toContain("\n\n: keep-alive\n\n");
  expect([quiet.isClosed(), busy.isClosed()]).toEqual([false, false]);
});

test("a token that is revoked gets no event from a second later on, and its streams end with the next comment", async () => {
  const { server, api, environment } = await startApi({ streamKeepAliveMs: 60 });
  const { id } = await api.session(environment.id);
  const client = await api.token("client");
  const [revoked, other] = [await openStream(server, id, client), await openStream(server, id)];
  await live(revoked, api, id);
  ok(await server.call("DELETE", `/tokens/${client.id}`));
  await revoked.closed;
  expect(other.isClosed()).toBe(false);
  await live(other, api, id);
});

test("a revoked token does not get what is sent on a busy session either, whatever the interval of comments", async () => {
  const { server, api, environment } = await startApi();
  const { id } = await api.session(environment.id);
  const client = await api.token("client");
  const stream = await openStream(server, id, client);
  await live(stream, api, id);
  ok(await server.call("DELETE", `/tokens/${client.id}`));
  await eventually(async () => {
    ok(await api.send(id, [OTHER]));
    expect(stream.isClosed()).toBe(true);
  });
});

test("the stream of a token that expires ends", async () => {
  const clock = new FakeClock();
  const { server, api, environment } = await startApi({ clock, streamKeepAliveMs: 60 });
  const { id } = await api.session(environment.id);
  const stream = await openStream(server, id, await api.token("client", undefined, { expires_in_seconds: 60 }));
  await live(stream, api, id);
  clock.advanceSeconds(61);
  await stream.closed;
});

const withoutSignals = (store: Store): Store => around(store, { onCommit: () => () => () => undefined });

describe("the stream of a Work-Token", () => {
  /** A session in work, with a stream of its hand-out on each server, events flowing. */
  async function followedHandOut(options: TestServerOptions = {}) {
    const { server, api, environment } = await startApi(options);
    const { id } = await api.session(environment.id);
    const delivered = await api.poll(environment.id);
    const token = delivered.headers.get("work-token") ?? "";
    const item = ok(delivered);
    if (item === null) throw new Error("nothing was delivered");
    ok(await api.on(item, "ack", { token }));
    const streams = await Promise.all(server.urls.map((_, replica) => openStream(server, id, { token, replica })));
    for (const stream of streams) await live(stream, api, id);
    return { server, api, environment, id, item, token, streams };
  }
  type Followed = Awaited<ReturnType<typeof followedHandOut>>;

  /** The look that goes along with comments comes too late for a test. */
  const SELDOM = { streamKeepAliveMs: 60_000 };

  test.each<[string, (handOut: Followed) => Promise<unknown>]>([
    ["a stop", ({ api, item, token }) => api.on(item, "stop", { token, body: { force: true } })],
    ["a release", ({ api, item, token }) => api.on(item, "release", { token, body: {} })],
    ["the archive of its session", ({ server, id }) => server.call("POST", `/sessions/${id}/archive`)],
    [
      "a stop that another item follows at once",
      async ({ api, item, token, id }) => {
        ok(await api.send(id, [MESSAGE]));
        return await api.on(item, "stop", { token, body: { force: true } });
      },
    ],
  ])("ends with its hand-out at once, by %s", async (_how, end) => {
    const handOut = await followedHandOut(SELDOM);
    const other = await openStream(handOut.server, handOut.id);
    await live(other, handOut.api, handOut.id);
    await end(handOut);
    await Promise.all(handOut.streams.map(({ closed }) => closed));
    expect(other.isClosed()).toBe(false);
    expect((await openStream(handOut.server, handOut.id, { token: handOut.token })).status).toBe(401);
  });

  test("ends at once when its lease lapses", async () => {
    const clock = new FakeClock();
    const { streams } = await followedHandOut({ ...SELDOM, clock, sweepMs: 20 });
    clock.advanceSeconds(61);
    await Promise.all(streams.map(({ closed }) => closed));
  });

  test("ends at once when its item is delivered again, because nobody acknowledged it", async () => {
    const clock = new FakeClock();
    const { server, api, environment } = await startApi({ ...SELDOM, clock });
    const { id } = await api.session(environment.id);
    const token = (await api.poll(environment.id)).headers.get("work-token") ?? "";
    const stream = await openStream(server, id, { token });
    await live(stream, api, id);
    clock.advanceSeconds(6);
    expect(ok(await api.poll(environment.id))?.data.id).toBe(id);
    await stream.closed;
  });

  test("ends by the next comment when no signal tells of the end", async () => {
    const { api, item, token, streams } = await followedHandOut({ streamKeepAliveMs: 60, wrapStore: withoutSignals });
    ok(await api.on(item, "stop", { token, body: { force: true } }));
    await Promise.all(streams.map(({ closed }) => closed));
  });
});

test("the deletion of its session ends a stream at once", async () => {
  const { server, api, environment } = await startApi();
  const { id } = await api.session(environment.id, { initial_events: [] });
  const stream = await openStream(server, id);
  await live(stream, api, id);
  ok(await server.call("DELETE", `/sessions/${id}`));
  await stream.closed;
  expect(await server.metric("capstan_event_streams_open")).toBe(0);
});

test("a stream that ends does not wait for ever for a reader that takes nothing", async () => {
  const { server, api, environment } = await startApi({ maxStreamBufferBytes: 64_000_000, streamStallMs: 50 });
  const { id } = await api.session(environment.id);
  const [deaf, reader] = [await openStream(server, id, { deaf: true }), await openStream(server, id)];
  for (let round = 0; round < LARGE_EVENTS; round++) ok(await api.send(id, [LARGE]));
  await reader.atLeast(LARGE_EVENTS);
  ok(await server.call("DELETE", `/sessions/${id}`));
  await reader.closed;
  await deaf.cutOff();
});

test("archiving a session does not end its streams: what it says last has still to be read", async () => {
  const { server, api, environment } = await startApi();
  const { id } = await api.session(environment.id);
  const stream = await openStream(server, id);
  ok(await server.call("POST", `/sessions/${id}/archive`));
  await eventually(() => expect(stream.events().at(-1)?.type).toBe("session.status_terminated"));
  expect(stream.isClosed()).toBe(false);
});

test("a server that stops ends every stream with a hint when to come back, and does not wait for those that do not read", async () => {
  const server = await startTestServer({ drainMs: 60_000, maxStreamBufferBytes: 64_000_000 });
  const api = new Api(server);
  const environment = await api.environment();
  const [{ id }, large] = [await api.session(environment.id), await api.session(environment.id)];
  const streams = await Promise.all(Array.from({ length: 20 }, () => openStream(server, id)));
  const deaf = await openStream(server, large.id, { deaf: true });
  for (let round = 0; round < LARGE_EVENTS; round++) {
    ok(await api.send(large.id, [LARGE]));
  }
  await server.stop();
  await Promise.all(streams.map((stream) => stream.closed));
  const hints = streams.map((stream) => Number(/retry: (\d+)\n\n$/.exec(stream.text())?.[1]));
  for (const hint of hints) expect(hint >= 500 && hint <= 2_500).toBe(true);
  expect(new Set(hints).size).toBeGreaterThan(1);
  await deaf.cutOff();
});

test("a server has a bound for streams: one more is refused, and finds its place when another ends", async () => {
  const { server, api, environment } = await startApi({ maxStreams: 2 });
  const { id } = await api.session(environment.id);
  const replicas = server.urls.length;
  const streams = await Promise.all(
    Array.from({ length: 2 * replicas }, (_, index) => openStream(server, id, { replica: index % replicas })),
  );
  const over = await openStream(server, id, { replica: 0 });
  expect(over.status).toBe(429);
  expect(over.headers["retry-after"]).toBe("1");
  for (const path of ["events/stream", "events"]) {
    const query = path === "events" ? { headers: { accept: "text/event-stream" } } : {};
    const answer = await server.call("GET", `/sessions/${id}/${path}`, { replica: 0, ...query });
    refused(answer, 429, "rate_limit_error");
    expect(OPERATIONS[path === "events" ? "listEvents" : "streamEvents"].errors).toContain("rate_limited");
  }
  streams[0]?.hangUp();
  await eventually(async () => expect((await openStream(server, id, { replica: 0 })).status).toBe(200));
});

/** A store whose reads of events fail while `away`. */
const failing = (state: { away: boolean }) =>
  intercepting("listEvents", (original) => {
    return (...values: never[]) => (state.away ? Promise.reject(new StoreUnavailable("away")) : original(...values));
  });

test("while the store is away, streams end, and their readers resume without a gap", async () => {
  const state = { away: false };
  const { server, api, environment } = await startApi({ wrapStore: failing(state) });
  const { id } = await api.session(environment.id, { initial_events: [] });
  const stream = await openStream(server, id);
  await live(stream, api, id);
  state.away = true;
  const sent = ok(await api.send(id, [OTHER, MESSAGE])).data;
  await stream.closed;
  const late = await openStream(server, id, { lastEventId: stream.ids().at(-1) });
  await late.closed;
  expect(late.ids()).toEqual([]);
  state.away = false;
  const resumed = await openStream(server, id, { lastEventId: stream.ids().at(-1) });
  expect((await resumed.atLeast(2)).slice(0, 2)).toEqual(sent.map((event) => event.id));
  await eventually(async () => expect(await server.metric("capstan_event_streams_open")).toBe(1));
});

test("a reader that hangs up is forgotten, however far its request had come", async () => {
  const { server, api, environment } = await startApi();
  const { id } = await api.session(environment.id);
  const [url = ""] = server.urls;
  const authorization = `Bearer ${server.adminToken}`;
  for (let round = 0; round < 50; round++) {
    const { socket } = await rawCall(url, head("GET", `${BASE_PATH}/sessions/${id}/events/stream`, { authorization }));
    for (let step = 0; step < round % 10; step++) await new Promise((resolve) => setImmediate(resolve));
    socket.resetAndDestroy();
  }
  await eventually(async () => expect(await server.metric("capstan_event_streams_open")).toBe(0));
});
