import { afterEach, beforeEach, expect, inject, test } from "vitest";
import { BASE_PATH, OPERATIONS } from "../../src/contract/operations.ts";
import type { Work } from "../../src/contract/shapes.ts";
import { StoreUnavailable } from "../../src/storage/store.ts";
import { eventually } from "../support/eventually.ts";
import { intercepting } from "../support/intercepting.ts";
import { head, rawCall } from "../support/raw-http.ts";
import { type Answer, startTestServer, type TestServer } from "../support/server.ts";
import { Api, MESSAGE, ok, refused } from "./support/api.ts";

let server: TestServer;
let api: Api;
let environment: string;

beforeEach(async () => {
  server = await startTestServer({ maxWaiters: 30 });
  api = new Api(server);
  environment = (await api.environment()).id;
});
afterEach(() => server.stop());

/** Long enough that no test sees its end. */
const PATIENT = { prefer: "wait=60" };
/** Where several servers may share a store, one waiter of each queue looks again every few seconds, unasked. */
const ROUTINE_LOOKS = inject("topology")?.store === "postgres" ? 3 : 0;
/** Nobody acknowledges anything here: however long a test takes, what was delivered is not delivered again. */
const ONCE = { reclaim_older_than_ms: 3_600_000 };

const parked = (count: number) =>
  eventually(async () => expect(await server.metric("capstan_polls_parked")).toBe(count));

/** A poll that waits, once it waits: those that come later stand behind it. */
async function park(
  place: number,
  worker = `w${place}`,
  replica = 0,
): Promise<{ answer: Promise<Answer<Work | null>> }> {
  const answer = api.poll(environment, { worker, query: ONCE, headers: PATIENT, replica });
  await parked(place);
  return { answer };
}

/** Exactly so many, but for the looks that nobody asked for. */
function expectAbout(count: number, expected: number): void {
  expect(count).toBeGreaterThanOrEqual(expected);
  expect(count).toBeLessThanOrEqual(expected + ROUTINE_LOOKS);
}

/** Queues items in one commit: requests that one packet brings are decided together. */
async function queueAtOnce(count: number): Promise<void> {
  const body = JSON.stringify({ environment_id: environment, initial_events: [MESSAGE] });
  const headers = { authorization: `Bearer ${server.adminToken}`, "content-length": String(body.length) };
  const request = (connection: string) => head("POST", `${BASE_PATH}/sessions`, { ...headers, connection }) + body;
  const requests = `${request("keep-alive").repeat(count - 1)}${request("close")}`;
  const { received } = await rawCall(server.urls[0] ?? "", requests);
  expect((await received).match(/HTTP\/1\.1 200/g)).toHaveLength(count);
}

/** Everybody who still waits is answered now: what they got is what they will ever get. */
async function drainAll(answers: readonly Promise<Answer<Work | null>>[]): Promise<(string | null)[]> {
  await server.stop();
  return (await Promise.all(answers)).map((answer) => ok(answer)?.id ?? null);
}

test("a waiting poll is answered when an item appears, whichever server it was queued on", async () => {
  const first = await park(1);
  const session = await api.session(environment);
  expect(ok(await first.answer)?.data.id).toBe(session.id);
  const second = await park(1, "w2", 0);
  const body = { environment_id: environment, initial_events: [{ type: "user.message", content: [{ type: "x" }] }] };
  const replica = server.urls.length - 1;
  const other = ok(await server.call<{ id: string }>("POST", "/sessions", { body, replica }));
  expect(ok(await second.answer)?.data.id).toBe(other.id);
});

test("one item wakes exactly one of those who wait", async () => {
  const waiting = [];
  for (let place = 1; place <= 12; place++) waiting.push((await park(place)).answer);
  const before = await server.metric("capstan_poll_wakes_total");
  const item = await api.queued(environment);
  await parked(11);
  expectAbout((await server.metric("capstan_poll_wakes_total")) - before, 1);
  const got = await drainAll(waiting);
  expect(got.filter((id) => id !== null)).toEqual([item.id]);
});

test("those who wait ask the store for nothing, whatever goes on beside them", async () => {
  const claims = () => server.metric('capstan_store_calls_total{call="poll"}');
  const elsewhere = (await api.environment()).id;
  const before = await claims().catch(() => 0);
  for (let place = 1; place <= 12; place++) await park(place);
  expectAbout((await claims()) - before, 12);
  for (let turn = 0; turn < 5; turn++) await api.session(elsewhere);
  expectAbout((await claims()) - before, 12);
});

test("a burst of items wakes as many as there are items, and each gets one", async () => {
  const waiting = [];
  for (let place = 1; place <= 12; place++) waiting.push((await park(place)).answer);
  const before = await server.metric("capstan_poll_wakes_total");
  await queueAtOnce(5);
  await parked(7);
  expectAbout((await server.metric("capstan_poll_wakes_total")) - before, 5);
  const got = (await drainAll(waiting)).filter((id) => id !== null);
  expect(new Set(got).size).toBe(5);
});

test("more items than waiters leave nobody waiting", async () => {
  const waiting = [];
  for (let place = 1; place <= 3; place++) waiting.push((await park(place)).answer);
  await Promise.all(Array.from({ length: 8 }, () => api.session(environment)));
  const got = (await Promise.all(waiting)).map((answer) => ok(answer)?.id);
  expect(new Set(got).size).toBe(3);
  expect((await api.stats(environment)).depth).toBe(5);
});

test("who came first is served first, with the oldest item", async () => {
  const waiting = [];
  for (let place = 1; place <= 6; place++) waiting.push((await park(place)).answer);
  const items: string[] = [];
  for (let left = 5; left >= 0; left--) {
    items.push((await api.queued(environment)).id);
    await parked(left);
  }
  const got = (await Promise.all(waiting)).map((answer) => ok(answer)?.id ?? "");
  // Whoever looks unasked in that very moment lets the next one pass.
  expect(ROUTINE_LOOKS === 0 ? got : got.sort()).toEqual(items);
});

test("an item that is released wakes a waiter, and so does one whose delay ends", async () => {
  const item = await api.itemIn("active", environment, "w1");
  const first = await park(1);
  ok(await api.on(item, "release", { worker: "w1" }));
  expect(ok(await first.answer)?.id).toBe(item.id);
  ok(await api.on(item, "ack"));
  const second = await park(1);
  ok(await api.on(item, "release", { body: { delay_ms: 30 } }));
  expect(ok(await second.answer)?.id).toBe(item.id);
});

test("input that arrived while an item was stopping wakes a waiter with the next item", async () => {
  const item = await api.itemIn("stopping", environment, "w1");
  const waiting = await park(1);
  ok(await api.send(item.data.id, [{ type: "user.message", content: [{ type: "text", text: "And this." }] }]));
  ok(await api.on(item, "stop", { worker: "w1" }));
  expect(ok(await waiting.answer)).toMatchObject({ data: { id: item.data.id }, state: "queued" });
});

test.each([1, 10, 50])("what nobody acknowledged goes to a waiter after its window of %i ms", async (windowMs) => {
  const item = await api.queued(environment);
  ok(await api.poll(environment, { worker: "gone" }));
  const query = { reclaim_older_than_ms: windowMs };
  const answer = await api.poll(environment, { query, headers: PATIENT });
  expect(ok(answer)?.id).toBe(item.id);
});

test("a delivery while others wait goes on to the waiter whose window ends first", async () => {
  const long = await park(1);
  const short = api.poll(environment, { query: { reclaim_older_than_ms: 20 }, headers: PATIENT, replica: 0 });
  await parked(2);
  const item = await api.queued(environment);
  const first = await Promise.race([long.answer.then(() => "long"), short.then(() => "short")]);
  if (ROUTINE_LOOKS === 0) expect(first).toBe("long");
  expect(ok(await short)?.id).toBe(item.id);
});

test("block_ms is answered null when its time is over, not before", async () => {
  const began = performance.now();
  expect(ok(await api.poll(environment, { query: { block_ms: 120 } }))).toBeNull();
  expect(performance.now() - began).toBeGreaterThan(115);
});

test("without a wish to wait the answer comes at once", async () => {
  const waiting = await park(1);
  expect(ok(await api.poll(environment, { worker: "w2", query: ONCE }))).toBeNull();
  expect(await drainAll([waiting.answer])).toEqual([null]);
});

test("a waiting poll of an environment that is deleted ends with its time, and the next one is a 404", async () => {
  const waiting = api.poll(environment, { query: { block_ms: 300 } });
  await parked(1);
  ok(await server.call("DELETE", `/environments/${environment}`));
  const answer = await waiting;
  // On a distant database its first look may have come after the deletion.
  if (answer.status === 404) refused(answer, 404, "not_found_error");
  else expect(ok(answer)).toBeNull();
  refused(await api.poll(environment), 404, "not_found_error");
});

test("a server that stops answers everybody who waits, and takes nobody more", async () => {
  const waiting = [];
  for (let place = 1; place <= 5; place++) waiting.push((await park(place)).answer);
  expect(await drainAll(waiting)).toEqual([null, null, null, null, null]);
  await expect(api.poll(environment)).rejects.toThrow();
});

test("a look at the queue that the store failed is made good by somebody who still waits", async () => {
  await server.stop();
  let failures = 0;
  const wrapStore = intercepting("execute", (execute) => (name: string, input: unknown) => {
    if (failures === 0 || name !== "poll") return execute(name, input);
    failures -= 1;
    return Promise.reject(new StoreUnavailable("no space is left"));
  });
  server = await startTestServer({ wrapStore });
  api = new Api(server);
  environment = (await api.environment()).id;
  const [first, second] = [await park(1), await park(2)];
  failures = 1;
  const item = await api.queued(environment);
  const answer = await first.answer;
  refused(answer, 503, "api_error");
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(ok(await second.answer)?.id).toBe(item.id);
});

test("those who wait ask the store nothing", async () => {
  await server.stop();
  const asked: string[] = [];
  const wrapStore = intercepting("execute", (execute) => (name: string, input: unknown) => {
    asked.push(name);
    return execute(name, input);
  });
  server = await startTestServer({ wrapStore });
  api = new Api(server);
  environment = (await api.environment()).id;
  const polls = Array.from({ length: 20 }, () => api.poll(environment, { query: { block_ms: 400 } }));
  expect((await Promise.all(polls)).map(ok)).toEqual(polls.map(() => null));
  expectAbout(asked.filter((name) => name === "poll").length, 20);
});

test.each(["is revoked", "expires"])(
  "a poll whose token %s while it waits gets no item; the next in line does",
  async (how) => {
    const { id, token } = await api.token("worker", environment, how === "expires" ? { expires_in_seconds: 1 } : {});
    const ended = api.poll(environment, { token, query: ONCE, headers: PATIENT, replica: 0 });
    await parked(1);
    const next = await park(2);
    if (how === "is revoked") ok(await server.call("DELETE", `/tokens/${id}`));
    await eventually(async () =>
      refused(await api.poll(environment, { token, replica: 0 }), 401, "authentication_error"),
    );
    const item = await api.queued(environment);
    refused(await ended, 401, "authentication_error");
    expect(ok(await next.answer)?.id).toBe(item.id);
  },
);

test("a poll that does not wait is served also while as many wait as may", async () => {
  const other = (await api.environment()).id;
  const item = await api.queued(other);
  const answers = Array.from({ length: 30 }, () => api.poll(environment, { headers: PATIENT, replica: 0 }));
  await parked(30);
  expect(ok(await api.poll(other, { replica: 0 }))?.id).toBe(item.id);
  await drainAll(answers);
});

test("one more than may wait is told when to come back", async () => {
  const answers = Array.from({ length: 30 }, () => api.poll(environment, { headers: PATIENT, replica: 0 }));
  await parked(30);
  const answer = await api.poll(environment, { headers: PATIENT, replica: 0 });
  refused(answer, 429, "rate_limit_error");
  expect(OPERATIONS.pollWork.errors).toContain("rate_limited");
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await drainAll(answers)).toEqual(answers.map(() => null));
});
