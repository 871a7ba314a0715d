/** A caller that has hung up never consumes an item. Real sockets, because only they can be closed at a bad moment. */
import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { BASE_PATH } from "../../src/contract/operations.ts";
import type { Work } from "../../src/contract/shapes.ts";
import { eventually } from "../support/eventually.ts";
import { intercepting } from "../support/intercepting.ts";
import { head, type RawCall, rawCall } from "../support/raw-http.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "../support/server.ts";
import { Api, MESSAGE, ok } from "./support/api.ts";

let server: TestServer;
let api: Api;
let environment: string;

async function start(options: TestServerOptions = {}): Promise<void> {
  server = await startTestServer(options);
  api = new Api(server);
  environment = (await api.environment()).id;
}
afterEach(() => server.stop());

/** However long a test takes, what was delivered is not delivered again: an item that comes has never been touched. */
const ONCE = { reclaim_older_than_ms: "3600000" };
const url = (): string => server.urls[0] ?? "";
const authorization = (): { authorization: string } => ({ authorization: `Bearer ${server.adminToken}` });

const parked = (count: number) =>
  eventually(async () => expect(await server.metric("capstan_polls_parked")).toBe(count));

/** A poll over a connection of its own. */
function rawPoll(): Promise<RawCall> {
  const target = `${BASE_PATH}/environments/${environment}/work/poll?${new URLSearchParams(ONCE)}`;
  return rawCall(url(), head("GET", target, { ...authorization(), prefer: "wait=60" }));
}

/** Two answers after the hang-up: what reached the server before them has been dealt with. */
async function roundTrips(): Promise<void> {
  for (let index = 0; index < 2; index++) await server.fetch("GET", "/healthz", { replica: 0 });
}

const WAYS: readonly { way: string; hangUp: (socket: Socket) => void }[] = [
  { way: "closes its socket", hangUp: (socket) => void socket.destroy() },
  { way: "resets its connection", hangUp: (socket) => void socket.resetAndDestroy() },
  { way: "ends its side", hangUp: (socket) => void socket.end() },
];

/** The item is there for a caller who asks for what was never delivered. */
async function expectUntouched(): Promise<void> {
  const polled = ok(await api.poll(environment, { query: ONCE, replica: 0 }));
  expect(polled).not.toBeNull();
  ok(await api.on(polled as Work, "stop", { body: { force: true } }));
}

test.each(WAYS)("a waiter that $way is forgotten, and the next item waits for somebody else", async ({ hangUp }) => {
  await start();
  const { socket } = await rawPoll();
  await parked(1);
  hangUp(socket);
  await parked(0);
  await api.queued(environment);
  await expectUntouched();
});

test.each(WAYS)("a waiter that $way in the moment in which an item is queued does not get it", async ({ hangUp }) => {
  await start();
  const body = JSON.stringify({ environment_id: environment, initial_events: [MESSAGE] });
  const length = { ...authorization(), "content-length": String(body.length), connection: "keep-alive" };
  const request = head("POST", `${BASE_PATH}/sessions`, length) + body;
  const queueing = await rawCall(url(), "");
  for (let round = 0; round < 45; round++) {
    const { socket } = await rawPoll();
    await parked(1);
    const answered = new Promise((resolve) => queueing.socket.once("data", resolve));
    queueing.socket.write(request);
    // The server runs in this process: it has read nothing, has committed the item, or is about to claim it.
    for (let turn = 0; turn < round % 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    hangUp(socket);
    await answered;
    await parked(0);
    await expectUntouched();
  }
  queueing.socket.destroy();
});

/** Holds every claim back between its commit and its answer until the test lets go. */
function slowClaims() {
  let letGo = (): void => undefined;
  let claimed = 0;
  const wrapStore = intercepting("execute", (execute) => async (name: string, input: unknown) => {
    const outcome = (await execute(name, input)) as { value?: unknown };
    if (name !== "poll" || outcome.value == null) return outcome;
    claimed += 1;
    await new Promise<void>((resolve) => {
      letGo = resolve;
    });
    return outcome;
  });
  return { wrapStore, claimed: () => claimed, letGo: () => letGo() };
}

test.each(WAYS)("a delivery whose caller $way before it is answered is taken back at once", async ({ hangUp }) => {
  const claims = slowClaims();
  await start({ wrapStore: claims.wrapStore });
  const item = await api.queued(environment);
  const { socket } = await rawPoll();
  await eventually(() => expect(claims.claimed()).toBe(1));
  hangUp(socket);
  await roundTrips();
  claims.letGo();
  await parked(0);
  expect(await api.stats(environment)).toMatchObject({ depth: 1, pending: 0 });
  const next = api.poll(environment, { worker: "w2", query: ONCE, replica: 0 });
  await eventually(() => expect(claims.claimed()).toBe(2));
  claims.letGo();
  expect(ok(await next)?.id).toBe(item.id);
});

test("a delivery that is taken back goes to whoever waits", async () => {
  const claims = slowClaims();
  await start({ wrapStore: claims.wrapStore });
  const item = await api.queued(environment);
  const { socket } = await rawPoll();
  await eventually(() => expect(claims.claimed()).toBe(1));
  const waiting = api.poll(environment, { worker: "w2", query: ONCE, headers: { prefer: "wait=60" }, replica: 0 });
  await parked(2);
  socket.destroy();
  await roundTrips();
  claims.letGo();
  await eventually(() => expect(claims.claimed()).toBe(2));
  claims.letGo();
  expect(ok(await waiting)?.id).toBe(item.id);
});

test("many waiters hang up while many items come: not one item is lost, and each goes to one that stayed", async () => {
  await start();
  const leaving: RawCall[] = [];
  const staying: Promise<string | undefined>[] = [];
  for (let place = 0; place < 10; place++) {
    leaving.push(await rawPoll());
    staying.push(
      api
        .poll(environment, { query: ONCE, headers: { prefer: "wait=60" }, replica: 0 })
        .then((answer) => ok(answer)?.id),
    );
    await parked(2 * (place + 1));
  }
  const queued = Array.from({ length: 10 }, () => api.session(environment));
  for (const [index, { socket }] of leaving.entries()) WAYS[index % WAYS.length]?.hangUp(socket);
  await Promise.all(queued);
  await parked(0);
  const got = await Promise.all(staying);
  expect(new Set(got).size).toBe(10);
});
