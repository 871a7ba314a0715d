import pg from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { PostgresStoreOptions } from "../../../src/storage/postgres/options.ts";
import { openPostgresStore } from "../../../src/storage/postgres/store.ts";
import { type Message, Outbox, readMessage, type Said } from "../../../src/storage/postgres/wire.ts";
import { type CommitSignals, NO_SIGNALS, type Store } from "../../../src/storage/store.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestSchema } from "../../support/postgres.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { MESSAGE, POLICY, value } from "../conformance/support.ts";

/** So long that nothing in a test comes of it. */
const NEVER_MS = 3_600_000;

let place: Awaited<ReturnType<typeof createTestSchema>>;
const stores: Store[] = [];
beforeAll(async () => {
  place = await createTestSchema();
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});
afterAll(() => place.drop());

async function open(options: Partial<PostgresStoreOptions> = {}): Promise<{ store: Store; heard: CommitSignals[] }> {
  const { url, schema } = place;
  const store = await openPostgresStore({
    url,
    schema,
    safetyPollMs: NEVER_MS,
    safetyPollDeafMs: NEVER_MS,
    ...options,
  });
  stores.push(store);
  const heard: CommitSignals[] = [];
  store.onCommit((signals) => void heard.push(signals));
  return { store, heard };
}

async function queueOn(store: Store): Promise<{ environmentId: string; sessionId: string }> {
  const input = { name: "q", description: "", config: {}, selfHosted: true, policy: POLICY, metadata: {} };
  const environmentId = value(await store.execute("createEnvironment", input)).id;
  const session = { environmentId, agent: null, title: null, metadata: {}, initialEvents: [MESSAGE] };
  return { environmentId, sessionId: value(await store.execute("createSession", session)).id };
}

const queuedIn = (heard: readonly CommitSignals[], environmentId: string): number[] =>
  heard.flatMap(({ queued }) => queued.get(environmentId) ?? []);

test("a server hears of another one's commits, once, and of its own at once", async () => {
  const [here, there] = [await open(), await open()];
  const { environmentId, sessionId } = await queueOn(there.store);
  expect(queuedIn(there.heard, environmentId)).toEqual([1]);
  await eventually(() => expect(queuedIn(here.heard, environmentId)).toEqual([1]));
  expect(here.heard.some(({ sessions }) => sessions.has(sessionId))).toBe(true);
  // What came back would have come before this.
  const second = await queueOn(here.store);
  await eventually(() => expect(queuedIn(there.heard, second.environmentId)).toEqual([1]));
  expect(queuedIn(there.heard, environmentId)).toEqual([1]);
});

test("what many commits have to say goes in a few messages at once, and then in one now and then", async () => {
  const here = await open();
  const busy = await open({ hintBurst: 1, hintIntervalMs: NEVER_MS });
  const marked = async () => {
    const { environmentId } = await queueOn((await open()).store);
    await eventually(() => expect(queuedIn(here.heard, environmentId)).toEqual([1]));
  };
  const first = await queueOn(busy.store);
  await eventually(() => expect(queuedIn(here.heard, first.environmentId)).toEqual([1]));
  const [second, third] = [await queueOn(busy.store), await queueOn(busy.store)];
  await marked();
  expect(queuedIn(here.heard, second.environmentId)).toEqual([]);
  here.heard.length = 0;
  // A server that goes says what it has left, in one message.
  await busy.store.close();
  await eventually(() => expect(queuedIn(here.heard, second.environmentId)).toEqual([1]));
  expect(here.heard).toHaveLength(1);
  expect(queuedIn(here.heard, third.environmentId)).toEqual([1]);
});

test("what waits for its turn is sent when that comes", async () => {
  const here = await open();
  const busy = await open({ hintBurst: 1, hintIntervalMs: 20 });
  for (let n = 0; n < 3; n++) {
    const { environmentId } = await queueOn(busy.store);
    await eventually(() => expect(queuedIn(here.heard, environmentId)).toEqual([1]));
  }
});

test("a server that comes later is heard by those that thought they were alone", async () => {
  const first = await open();
  await queueOn(first.store);
  const late = await open();
  const { environmentId } = await queueOn(first.store);
  await eventually(() => expect(queuedIn(late.heard, environmentId)).toEqual([1]));
});

test("a line that has gone dead is noticed, and everybody is told to look again", async () => {
  const target = new URL(place.url);
  const proxy = await TcpProxy.start(target.hostname, Number(target.port));
  const listenUrl = new URL(place.url);
  listenUrl.host = `127.0.0.1:${proxy.port}`;
  const limits = { listenerCheckMs: 50, answerTimeoutMs: 500, connectTimeoutMs: 500, statementTimeoutMs: 300 };
  const here = await open({ listenUrl: listenUrl.href, ...limits });
  const there = await open();
  await queueOn(there.store);
  await eventually(() => expect(here.heard.some(({ queued }) => queued.size > 0)).toBe(true));
  here.heard.length = 0;
  proxy.goDead();
  const lost = await queueOn(there.store);
  await eventually(() => expect(here.heard).toContainEqual({ ...NO_SIGNALS, resync: "lost" }));
  expect(queuedIn(here.heard, lost.environmentId)).toEqual([]);
  const found = await queueOn(there.store);
  await eventually(() => expect(queuedIn(here.heard, found.environmentId)).toEqual([1]));
  await proxy.close();
});

test("without a line, everybody is told to look again all the time; with one, now and then", async () => {
  const deaf = await open({ listenUrl: false, safetyPollDeafMs: 20 });
  await eventually(() => expect(deaf.heard.filter(({ resync }) => resync === "lost").length).toBeGreaterThan(2));
  const listening = await open({ safetyPollMs: 20 });
  await eventually(() =>
    expect(listening.heard.filter(({ resync }) => resync === "routine").length).toBeGreaterThan(2),
  );
  expect(listening.heard.filter(({ resync }) => resync === "lost")).toEqual([]);
});

test("a server that does not listen itself still tells the others", async () => {
  const deaf = await open({ listenUrl: false });
  const listening = await open();
  const { environmentId } = await queueOn(deaf.store);
  await eventually(() => expect(queuedIn(listening.heard, environmentId)).toEqual([1]));
});

const of = (message: Message | undefined): Said | undefined =>
  message?.said === "unclear" ? undefined : message?.said;

test("what many commits have to say is cut into messages that PostgreSQL takes, and arrives whole", () => {
  const outbox = new Outbox();
  const id = (kind: string, n: number) => `${kind}_${n.toString(16).padStart(32, "0")}`;
  const environments = Array.from({ length: 300 }, (_, n) => id("env", n));
  const sessions = new Set(Array.from({ length: 300 }, (_, n) => id("sess", n)));
  const queued = new Map(environments.map((environment) => [environment, 20_000]));
  const first = environments.map((environment) => [environment, environment + id("work", 1)] as const);
  outbox.add({ queued, delivered: new Set(environments), delayed: new Set(environments), sessions }, first);
  const messages: string[] = [];
  while (!outbox.isEmpty) messages.push(outbox.take("me"));
  expect(Math.max(...messages.map((message) => Buffer.byteLength(message)))).toBeLessThan(8_000);
  const read = messages.map((message) => readMessage(message));
  expect(new Map(read.flatMap((message) => [...(of(message)?.signals.queued ?? [])]))).toEqual(queued);
  expect(new Map(read.flatMap((message) => [...(of(message)?.first ?? [])]))).toEqual(new Map(first));
  expect(new Set(read.flatMap((message) => [...(of(message)?.signals.sessions ?? [])]))).toEqual(sessions);
  for (const kind of ["delivered", "delayed"] as const) {
    expect(new Set(read.flatMap((message) => [...(of(message)?.signals[kind] ?? [])]))).toEqual(new Set(environments));
  }
});

test.each(["", "no JSON", "7", "null", "[]", '{"from":7}'])(
  "a message that is none of ours is left alone: %s",
  (text) => {
    expect(readMessage(text)).toBeUndefined();
  },
);

const UNCLEAR = [
  '"queued":5',
  '"queued":null',
  '"queued":[{"id":1}]',
  '"queued":[["1","2"]]',
  '"queued":[["1",0.5]]',
  '"queued":[["1",1,1]]',
  '"first":[["1",2]]',
  '"first":{"1":"2"}',
  '"delivered":[null]',
  '"delayed":"1"',
  '"sessions":{}',
];

test.each(UNCLEAR)("a message of another server that is not understood says so: %s", (what) => {
  expect(readMessage(`{"from":"x",${what}}`)).toEqual({ from: "x", said: "unclear" });
});

test("whoever hears what it does not understand looks again, and goes on to listen", async () => {
  const [here, there] = [await open(), await open()];
  here.heard.length = 0;
  const stranger = new pg.Client({ connectionString: place.url });
  await stranger.connect();
  await stranger.query("SELECT pg_notify($1, $2)", [`capstan_${place.schema}`, '{"from":"x","queued":[{"id":1}]}']);
  await stranger.end();
  await eventually(() => expect(here.heard).toContainEqual({ ...NO_SIGNALS, resync: "lost" }));
  const { environmentId } = await queueOn(there.store);
  await eventually(() => expect(queuedIn(here.heard, environmentId)).toEqual([1]));
});
