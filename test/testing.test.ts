import { afterEach, expect, test } from "vitest";
import { CapstanClient } from "../src/client/index.ts";
import { startTemporaryServer, type TemporaryServer } from "../src/testing.ts";

let server: TemporaryServer | undefined;
afterEach(() => server?.stop());

test("a temporary server has what a test of a worker needs", async () => {
  server = await startTemporaryServer({ queue: { start_seconds: 1 } });
  const { environment, client } = server;
  expect(environment.config).toEqual({ type: "self_hosted", queue: { start_seconds: 1 } });
  const message = { type: "user.message", content: [{ type: "text", text: "hello" }] };
  await client.createSession({ environment_id: environment.id, initial_events: [message] });
  const worker = new CapstanClient({ baseUrl: server.url, token: server.workerToken });
  const item = await worker.pollWork({ environment_id: environment.id });
  expect(item?.state).toBe("queued");
  await expect(worker.listTokens({})).rejects.toMatchObject({ status: 403 });
});

test("what it made is gone after it was stopped", async () => {
  server = await startTemporaryServer();
  const { url } = server;
  await server.stop();
  server = undefined;
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});
