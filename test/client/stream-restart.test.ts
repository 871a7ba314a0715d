import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { CapstanClient } from "../../src/client/index.ts";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { eventually } from "../support/eventually.ts";

/** A server that can be stopped and started again on its data and its port. */
async function restartable() {
  const dataDir = await mkdtemp(join(tmpdir(), "capstan-test-"));
  const adminToken = `test-admin-${"0123456789abcdef".repeat(2)}`;
  let running: RunningServer | undefined;
  let port = 0;
  const start = async () => {
    running = await startServer({ dataDir, adminToken, port, logLevel: "silent" });
    port = Number(new URL(running.url).port);
    return running.url;
  };
  const stop = async () => running?.stop();
  onTestFinished(async () => {
    await stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  return { url: await start(), adminToken, start, stop };
}

test("a conversation goes on over restarts of the server: the client's stream has all of it, once", async () => {
  const server = await restartable();
  // A call of its own connection each: one that is kept open may be closed just when the next call goes out on it.
  const unshared: typeof fetch = (url, init) =>
    fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), connection: "close" } });
  const client = new CapstanClient({ baseUrl: server.url, token: server.adminToken, fetch: unshared });
  const environment = await client.createEnvironment({ name: "e", config: { type: "self_hosted" } });
  const { id } = await client.createSession({ environment_id: environment.id });
  const heard: string[] = [];
  const stop = new AbortController();
  let connections = 0;
  const onOpen = () => {
    connections += 1;
  };
  const following = (async () => {
    for await (const event of client.streamEvents({ session_id: id }, { signal: stop.signal, onOpen }))
      heard.push(event.id);
  })();
  await eventually(() => expect(connections).toBe(1));
  const sent: string[] = [];
  for (let restart = 0; restart < 4; restart++) {
    for (let call = 0; call < 10; call++) {
      const content = [{ type: "text", text: `${restart} ${call}` }];
      const events = Array.from({ length: 25 }, () => ({ type: "system.message", content }));
      for (const event of (await client.sendEvents({ session_id: id, events })).data) sent.push(event.id);
    }
    await server.stop();
    await server.start();
  }
  await eventually(() => expect(heard).toHaveLength(sent.length), 60_000);
  expect(heard).toEqual(sent);
  expect(connections).toBeGreaterThan(1);
  stop.abort();
  await expect(following).rejects.toBe(stop.signal.reason);
}, 90_000);
