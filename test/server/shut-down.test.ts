import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { BASE_PATH } from "../../src/contract/operations.ts";
import { eventually } from "../support/eventually.ts";
import { intercepting } from "../support/intercepting.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, ok, refused } from "./support/api.ts";

/** Longer than a test may take, so that no test passes because of it. */
const DRAIN_MS = 600_000;
/** More bytes of answer than the system takes from a caller that does not read. */
const LONG = { type: "agent.message", content: [{ type: "text", text: "x".repeat(1_000_000) }] };
const LONG_EVENTS = 20;

const start = (drainMs = DRAIN_MS) => startTestServer({ drainMs });

const dial = ({ urls: [url = ""] }: TestServer): Socket => connect(Number(new URL(url).port), "127.0.0.1");

/** Begins a call whose body is still to come. @returns its connection, once the server has let it in */
async function beginCall(server: TestServer, bodyBytes: number): Promise<Socket> {
  const socket = dial(server);
  socket.write(`POST ${BASE_PATH}/environments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.adminToken}\r\n`);
  socket.write(`content-length: ${bodyBytes}\r\nexpect: 100-continue\r\n\r\n`);
  // The server has begun with the request once it asks for the body.
  expect(String((await once(socket, "data"))[0])).toContain("100 Continue");
  return socket;
}

const isGone = async (server: TestServer) => expect(server.fetch("GET", "/healthz")).rejects.toThrow();

test.each([
  { body: '{"name":"late"}', status: 200 },
  { body: '{"name":', status: 400 },
])("a request under way at the end is answered with $status, and its connection holds up nothing", async (given) => {
  const server = await start();
  const socket = await beginCall(server, given.body.length);
  const stopped = server.stop();
  const answer = text(socket);
  socket.write(given.body);
  expect(await answer).toContain(`HTTP/1.1 ${given.status} `);
  await stopped;
});

test("while a call is under way at the end, whoever else comes is told to go elsewhere", async () => {
  const server = await start();
  const body = '{"name":"late"}';
  const socket = await beginCall(server, body.length);
  const stopped = server.stop();

  const late = await server.call("GET", "/environments", { replica: 0 });
  refused(late, 503, "api_error");
  expect(Object.fromEntries(late.headers)).toMatchObject({ "retry-after": "1", connection: "close" });
  const ready = await server.fetch("GET", "/readyz", { replica: 0 });
  expect(ready).toMatchObject({ status: 503, body: { status: "draining" } });
  expect((await server.fetch("GET", "/healthz", { replica: 0 })).status).toBe(200);

  socket.write(body);
  await stopped;
  await isGone(server);
});

test("a long answer that is on its way at the end arrives whole", async () => {
  const server = await start();
  const api = new Api(server);
  const { id } = await api.session((await api.environment()).id);
  for (let round = 0; round < LONG_EVENTS; round++) ok(await api.send(id, [LONG]));
  const path = `/sessions/${id}/events?limit=100`;
  const whole = ok(await server.call("GET", path));

  const socket = dial(server);
  socket.write(`GET ${BASE_PATH}${path} HTTP/1.1\r\nhost: x\r\n`);
  socket.write(`authorization: Bearer ${server.adminToken}\r\n\r\n`);
  await once(socket, "readable");
  const stopped = server.stop();
  const [, body = ""] = (await text(socket)).split("\r\n\r\n", 2);
  expect(JSON.parse(body)).toEqual(whole);
  await stopped;
});

test("a call whose caller hung up before its body was there holds up nothing", async () => {
  const server = await start();
  const socket = await beginCall(server, 100);
  socket.write("{");
  socket.destroy();
  await server.stop();
  await isGone(server);
});

test("a poll whose caller hung up while it waited holds up nothing", async () => {
  const server = await start();
  const { id } = await new Api(server).environment();
  const socket = dial(server);
  socket.write(`GET ${BASE_PATH}/environments/${id}/work/poll HTTP/1.1\r\nhost: x\r\nprefer: wait=60\r\n`);
  socket.write(`authorization: Bearer ${server.adminToken}\r\n\r\n`);
  await eventually(async () => expect(await server.metric("capstan_polls_parked")).toBe(1));
  socket.destroy();
  await eventually(async () => expect(await server.metric("capstan_polls_parked")).toBe(0));
  await server.stop();
  await isGone(server);
});

test("a call that takes longer than the drain limit is cut off", async () => {
  const server = await start(0);
  const socket = await beginCall(server, 100);
  const cut = once(socket, "close");
  await server.stop();
  await cut;
  await isGone(server);
});

test("a database that cannot be closed in order does not make a failure of the stop", async () => {
  let closed = 0;
  const full = intercepting("close", (original) => async () => {
    await original();
    closed += 1;
    throw new Error("database or disk is full");
  });
  const server = await startTestServer({ wrapStore: full });
  await server.stop();
  expect(closed).toBe(server.urls.length);
  await isGone(server);
});

test("a connection that never carried a request does not hold up the end of a server", async () => {
  const server = await start();
  const socket = dial(server);
  await once(socket, "connect");
  // A full round trip on another connection: by then the server has accepted the first one.
  await server.fetch("GET", "/healthz", { replica: 0 });
  const closed = once(socket, "close");
  await server.stop();
  await closed;
});
