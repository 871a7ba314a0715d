import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { ensureBuilt, ROOT } from "../support/build.ts";
import { folderForTest, startForTest } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";

const ADMIN_TOKEN = "a-token-for-the-tests-of-signals";
const BY_NPM = { npm_lifecycle_script: "'capstan'", CAPSTAN_ADMIN_TOKEN: ADMIN_TOKEN };
const SERVE = ["serve", "--port", "0"];

beforeAll(ensureBuilt, 150_000);

/** Keeps the server from ending until the rest of its body is sent. */
async function requestUnderWay(url: string) {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.write(`POST /api/v1/cloud/environments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\n`);
  socket.write("Content-Length: 12\r\nExpect: 100-continue\r\n\r\n");
  await once(socket, "data");
  return socket;
}

test("a Ctrl-C that npm passes on once more is one Ctrl-C", async () => {
  const server = startForTest(SERVE, { env: { ...BY_NPM, CAPSTAN_DATA_DIR: folderForTest() } });
  const [, url = ""] = await server.find(/listens on (\S+)/);
  const socket = await requestUnderWay(url);
  const answer = text(socket);
  server.child.kill("SIGINT");
  // Of another kind, since the second of two equal signals can be lost.
  server.child.kill("SIGTERM");
  await eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(503));
  socket.write('{"name":"x"}');
  expect(await answer).toContain("HTTP/1.1 200");
  expect((await server.ended).code).toBe(0);
});

test("the end of its terminal ends a server in order, however often it is told", async () => {
  const env = { CAPSTAN_ADMIN_TOKEN: ADMIN_TOKEN, CAPSTAN_DATA_DIR: folderForTest() };
  const server = startForTest(SERVE, { env });
  const [, url = ""] = await server.find(/listens on (\S+)/);
  const socket = await requestUnderWay(url);
  server.child.kill("SIGHUP");
  await eventually(async () => expect((await fetch(`${url}/readyz`)).status).toBe(503));
  server.child.kill("SIGHUP");
  const answer = text(socket);
  socket.write('{"name":"x"}');
  expect(await answer).toContain("HTTP/1.1 200");
  expect((await server.ended).code).toBe(0);
});

test("a server whose npm was ended does not go on alone", async () => {
  const line = `"${process.execPath}" "${join(ROOT, "dist", "cli", "main.js")}" ${SERVE.join(" ")} & wait`;
  const env = { PATH: process.env.PATH, ...BY_NPM, CAPSTAN_DATA_DIR: folderForTest() };
  const shell = spawn("sh", ["-c", line], { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => {
    try {
      process.kill(-(shell.pid ?? 0), "SIGKILL");
    } catch {
      // Everything has ended already, as it should.
    }
  });
  let logs = "";
  shell.stderr.on("data", (chunk) => {
    logs += chunk;
  });
  await eventually(() => expect(logs).toContain('"msg":"listening"'));
  shell.kill("SIGTERM");
  // The pipe ends with the last process that holds it.
  await once(shell.stderr, "close");
  expect(logs).toContain('"msg":"stopped"');
});
