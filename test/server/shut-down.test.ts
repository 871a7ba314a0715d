import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { startServer } from "../../src/server/start.ts";

const DRAIN_MS = 600_000;
const ADMIN_TOKEN = "shut-down".repeat(4);
const start = () => {
  const dataDir = mkdtempSync(join(tmpdir(), "capstan-stop-"));
  return startServer({ dataDir, port: 0, logLevel: "silent", drainMs: DRAIN_MS, adminToken: ADMIN_TOKEN });
};

test.each([
  { body: '{"name":"late"}', status: 200 },
  { body: '{"name":', status: 400 },
])("a request under way at the end is answered with $status, and its connection holds up nothing", async (given) => {
  const server = await start();
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  socket.write(`POST /api/v1/cloud/environments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${ADMIN_TOKEN}\r\n`);
  socket.write(`content-length: ${given.body.length}\r\nexpect: 100-continue\r\n\r\n`);
  // The server has begun with the request once it asks for the body.
  expect(String((await once(socket, "data"))[0])).toContain("100 Continue");
  const stopped = server.stop();
  const answer = text(socket);
  socket.write(given.body);
  expect(await answer).toContain(`HTTP/1.1 ${given.status} `);
  await stopped;
});

test("a connection that never carried a request does not hold up the end of a server", async () => {
  const server = await start();
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  await once(socket, "connect");
  // A full round trip on another connection: by then the server has accepted the first one.
  await (await fetch(`${server.url}/healthz`)).text();
  const closed = once(socket, "close");
  await server.stop();
  await closed;
  expect(socket.destroyed).toBe(true);
});
