/** Many readers, large events, and readers that do not read. */
import { expect, onTestFinished, test } from "vitest";
import { Turns } from "../../src/server/turns.ts";
import type { Store } from "../../src/storage/store.ts";
import { eventually } from "../support/eventually.ts";
import { startTestServer, type TestServerOptions } from "../support/server.ts";
import { Api, ok, unknownId } from "./support/api.ts";
import { counting, distant } from "./support/stores.ts";
import { openStream } from "./support/stream.ts";

const message = (text: string) => ({ type: "system.message", content: [{ type: "text", text }] });
const BEFORE_ALL = unknownId("evt_");
/** More of these events than the system takes for a connection, so that the rest waits in the server. */
const LARGE = message("x".repeat(500_000));
const LARGE_EVENTS = 40;

async function startApi(options: TestServerOptions = {}) {
  const server = await startTestServer(options);
  onTestFinished(() => server.stop());
  const api = new Api(server);
  const environment = await api.environment();
  const newSession = async () => (await api.session(environment.id, { initial_events: [] })).id;
  return { server, api, newSession };
}

test("two thousand readers of one session all get every event, which is read once for all of them", async () => {
  const calls: Partial<Record<keyof Store, number>> = {};
  // Longer than the test may take: the looks that come by themselves are not what is counted.
  const { server, api, newSession } = await startApi({
    streamKeepAliveMs: 120_000,
    wrapStore: counting(calls, ["listEvents"]),
  });
  const id = await newSession();
  const streams = await Promise.all(Array.from({ length: 2_000 }, () => openStream(server, id)));
  // An event that all have been given shows that all have caught up.
  ok(await api.send(id, [message("first")]));
  for (const stream of streams) await stream.atLeast(1);
  const before = calls.listEvents ?? 0;
  for (let round = 0; round < 10; round++) ok(await api.send(id, [message(`${round}`), message("x")]));
  const all = (await api.events(id)).map((event) => event.id);
  for (const stream of streams) expect(await stream.atLeast(21)).toEqual(all);
  expect((calls.listEvents ?? 0) - before).toBeLessThanOrEqual(3 * 10 * server.urls.length + 1);
  for (const stream of streams) stream.hangUp();
  await eventually(async () => expect(await server.metric("capstan_event_streams_open")).toBe(0));
}, 60_000);

test("a reader that takes nothing is disconnected at the bound, and can resume; the others miss nothing", async () => {
  const { server, api, newSession } = await startApi({ maxStreamBufferBytes: 1_000_000 });
  const id = await newSession();
  const [deaf, reader] = [await openStream(server, id, { deaf: true }), await openStream(server, id)];
  const all: string[] = [];
  for (let round = 0; round < LARGE_EVENTS; round++) {
    for (const event of ok(await api.send(id, [LARGE])).data) all.push(event.id);
    await reader.atLeast(round + 1);
  }
  await deaf.cutOff();
  expect(await reader.atLeast(LARGE_EVENTS)).toEqual(all);
  expect(reader.isClosed()).toBe(false);
  const resumed = await openStream(server, id, { lastEventId: all[3] });
  expect(await resumed.atLeast(LARGE_EVENTS - 4)).toEqual(all.slice(4));
});

test("a reader that catches up and takes nothing is read for no further than the bound, then disconnected", async () => {
  const calls: Partial<Record<keyof Store, number>> = {};
  const { server, api, newSession } = await startApi({
    maxStreamBufferBytes: 1_000_000,
    streamStallMs: 200,
    wrapStore: counting(calls, ["listEvents"]),
  });
  const id = await newSession();
  for (let round = 0; round < LARGE_EVENTS; round++) ok(await api.send(id, [LARGE]));
  calls.listEvents = 0;
  const deaf = await openStream(server, id, { deaf: true, lastEventId: BEFORE_ALL });
  await deaf.cutOff();
  // Each look brings at least one event: fewer looks than events means that the history was not read to its end.
  expect(calls.listEvents).toBeLessThan(LARGE_EVENTS);
  const reader = await openStream(server, id, { lastEventId: BEFORE_ALL });
  await reader.atLeast(LARGE_EVENTS);
});

test("an event of thirty megabytes reaches those who listen, those who resume and those on a slow line", async () => {
  const { server, api, newSession } = await startApi({ streamStallMs: 2_000, maxStreamBufferBytes: 65_536 });
  const id = await newSession();
  const [listening, slow] = [await openStream(server, id), await openStream(server, id, { deaf: true })];
  const text = "Ä€😀x".repeat(3_000_000);
  const all: string[] = [];
  for (const texts of [["before", text, "after"], ["later"]]) {
    for (const event of ok(await api.send(id, texts.map(message))).data) all.push(event.id);
  }
  slow.listen({ bytes: 1_000_000, everyMs: 100 });
  expect(await listening.atLeast(4)).toEqual(all);
  const resumed = await openStream(server, id, { lastEventId: all[0] });
  expect(await resumed.atLeast(3)).toEqual(all.slice(1));
  expect(await slow.atLeast(4)).toEqual(all);
  for (const stream of [listening, resumed, slow]) {
    expect(stream.isClosed()).toBe(false);
    const content = stream.events().find((event) => event.id === all[1])?.content as { text: string }[];
    // Compared here, because nobody could read the difference.
    expect(content[0]?.text === text).toBe(true);
  }
}, 60_000);

test("an open stream on which nothing happens asks the store nothing between its checks", async () => {
  const calls: Partial<Record<keyof Store, number>> = {};
  const { server, api, newSession } = await startApi({
    wrapStore: counting(calls, ["listEvents", "getSession", "getWork", "findToken"]),
  });
  const ids = await Promise.all([newSession(), newSession()]);
  const future = `evt_${"f".repeat(32)}`;
  for (const id of ids)
    for (const lastEventId of [future, undefined, BEFORE_ALL]) await openStream(server, id, { lastEventId });
  const heard = await openStream(server, ids[0] ?? "");
  ok(await api.send(ids[0] ?? "", [message("x")]));
  await heard.atLeast(1);
  const before = { ...calls };
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(calls).toEqual(before);
});

test("a commit that nobody told of is found by the next check, and one that is told of twice comes once", async () => {
  let chance = 0.1;
  const { server, api, newSession } = await startApi({ streamKeepAliveMs: 100, wrapStore: distant(() => chance) });
  const id = await newSession();
  const stream = await openStream(server, id);
  ok(await api.send(id, [message("lost")]));
  await stream.atLeast(1);
  chance = 0.3;
  ok(await api.send(id, [message("doubled")]));
  ok(await api.send(id, [message("doubled")]));
  expect(await stream.atLeast(3)).toEqual((await api.events(id)).map((event) => event.id));
});

test("a turn of the event loop goes to one caller, and what else there is to do gets its own before the next", async () => {
  const turns = new Turns();
  let round = 0;
  let going = true;
  const everythingElse = () => {
    round += 1;
    if (going) setImmediate(everythingElse);
  };
  everythingElse();
  const rounds = await Promise.all(Array.from({ length: 5 }, () => turns.next().then(() => round)));
  await turns.next();
  going = false;
  expect(new Set(rounds).size).toBe(5);
  expect(rounds).toEqual(rounds.toSorted((a, b) => a - b));
});
