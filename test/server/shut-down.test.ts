import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startServer } from "../../src/server/start.ts";

test("a connection that never carried a request does not hold up the end of a server", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "capstan-stop-"));
  const drainMs = 600_000;
  const server = await startServer({ dataDir, port: 0, logLevel: "silent", drainMs });
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  await once(socket, "connect");
  // A full round trip on another connection: by then the server has accepted the first one.
  await (await fetch(`${server.url}/healthz`)).text();
  const closed = once(socket, "close");
  await server.stop();
  await closed;
  expect(socket.destroyed).toBe(true);
});
