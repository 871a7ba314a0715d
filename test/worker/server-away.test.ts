import { expect, onTestFinished, test } from "vitest";
import { CapstanClient } from "../../src/client/index.ts";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { createWorker } from "../../src/worker/index.ts";
import { eventually } from "../support/eventually.ts";
import { runningWorker, temporaryFolder, testQueue } from "./support/queue.ts";

const ADMIN = "an admin token of at least 32 characters".replaceAll(" ", "-");

/** A server that can be stopped and started again, at the same address and on the same data. */
async function restartableServer() {
  const dataDir = await temporaryFolder();
  const options = { dataDir, adminToken: ADMIN, logLevel: "silent", sweepMs: 50, drainMs: 100 } as const;
  let server: RunningServer | undefined = await startServer({ ...options, port: 0 });
  const { url } = server;
  const port = Number(new URL(url).port);
  const stop = async () => {
    await server?.stop();
    server = undefined;
  };
  onTestFinished(stop);
  return {
    url,
    stop,
    start: async () => {
      server = await startServer({ ...options, port });
    },
  };
}

test("a worker survives a server that restarts while it polls and while it runs a session", async () => {
  const server = await restartableServer();
  const client = new CapstanClient({ baseUrl: server.url, token: ADMIN });
  const { id: environmentId } = await client.createEnvironment({ name: "e", config: { type: "self_hosted" } });
  const queue = { url: server.url, token: ADMIN, environmentId };
  const say = { type: "user.message", content: [{ type: "text", text: "hello" }] };
  const finish: (() => void)[] = [];
  const worker = await runningWorker(queue, {
    ttlSeconds: 30,
    handler: async ({ send }) => {
      await new Promise<void>((resolve) => finish.push(resolve));
      await send([{ type: "agent.message", content: [{ type: "text", text: "done" }] }]);
    },
  });
  await eventually(() => expect(worker.status().lastPollSecondsAgo ?? worker.status().mode).toBe("running"));

  await server.stop();
  await eventually(() => expect(worker.status().pollFailure).toContain("Cannot reach the server"));
  await server.start();
  const session = await client.createSession({ environment_id: environmentId, initial_events: [say] });
  await eventually(() => expect(finish).toHaveLength(1));
  expect(worker.events.map((event) => event.type)).toContain("poll_recovered");

  await server.stop();
  finish[0]?.();
  await server.start();
  await eventually(async () => {
    const events = await client.listEvents({ session_id: session.id, order: "desc", limit: 5 });
    expect(events.data.map((event) => event.type)).toEqual([
      "session.status_idle",
      "agent.message",
      "session.status_running",
      "user.message",
    ]);
  });
  expect(worker.status()).toMatchObject({ mode: "running", ended: { completed: 1, lost: 0 } });
});

test("a worker whose server goes away says so while its lease lasts, and once", async () => {
  const server = await restartableServer();
  const client = new CapstanClient({ baseUrl: server.url, token: ADMIN });
  const { id: environmentId } = await client.createEnvironment({ name: "e", config: { type: "self_hosted" } });
  const worker = await runningWorker(
    { url: server.url, token: ADMIN, environmentId },
    { ttlSeconds: 10, handler: ({ signal }) => new Promise<void>((resolve) => (signal.onabort = () => resolve())) },
  );
  const say = { type: "user.message", content: [{ type: "text", text: "hello" }] };
  await client.createSession({ environment_id: environmentId, initial_events: [say] });
  await eventually(() => expect(worker.status().sessions).toMatchObject([{ phase: "running" }]));
  await server.stop();
  await eventually(() => expect(worker.status().ended.lost).toBe(1), 20_000);
  const told = worker.events.filter(({ type }) => type === "heartbeat_failed" || type === "session_finished");
  expect(told).toMatchObject([
    {
      level: "warn",
      message: expect.stringMatching(/^A heartbeat of item work_\w+ failed, .* \d+ s: /),
    },
    {
      level: "warn",
      message: expect.stringMatching(
        /is lost: its time is over: Cannot reach the server at \S+ \(ECONNREFUSED\).*[^.]\.$/,
      ),
    },
  ]);
}, 40_000);

test("a worker ends with the server's own words when its token is refused", async () => {
  const queue = await testQueue();
  const worker = await runningWorker({ ...queue, token: "cpt_unknown" }, { handler: () => {} });
  await expect(worker.ran).rejects.toMatchObject({ name: "ApiError", status: 401 });
  expect(worker.status().mode).toBe("stopped");
});

test("a worker ends when its token is for another environment, and when there is no such environment", async () => {
  const queue = await testQueue();
  const other = await queue.client.createEnvironment({ name: "other", config: { type: "self_hosted" } });
  const stranger = await runningWorker({ ...queue, environmentId: other.id }, { handler: () => {} });
  await expect(stranger.ran).rejects.toMatchObject({ status: 403 });
  const nowhere = { ...queue, token: queue.server.adminToken, environmentId: `env_${"0".repeat(32)}` };
  await expect((await runningWorker(nowhere, { handler: () => {} })).ran).rejects.toMatchObject({ status: 404 });
});

test("a worker whose token is revoked ends, after its session has finished on the credential of its hand-out", async () => {
  const queue = await testQueue();
  const { id, token } = await queue.client.createToken({
    name: "short",
    role: "worker",
    environment_id: queue.environmentId,
  });
  const finish: (() => void)[] = [];
  const worker = await runningWorker(
    { ...queue, token },
    {
      concurrency: 3,
      handler: async ({ say }) => {
        await new Promise<void>((resolve) => finish.push(resolve));
        await say("done");
      },
    },
  );
  const session = await queue.newSession("hello");
  await eventually(() => expect(finish).toHaveLength(1));
  await queue.client.revokeToken({ token_id: id });
  await queue.newSession("wakes the poll");
  await eventually(() => expect(worker.status().mode).toBe("draining"));
  for (const end of finish) end();
  await expect(worker.ran).rejects.toMatchObject({ status: 401 });
  expect(worker.status()).toMatchObject({ mode: "stopped", ended: { lost: 0, failed: 0 } });
  expect(await queue.replies(session.id)).toEqual(["done"]);
});

test("a worker that has run cannot be run again, and one that never ran can be drained", async () => {
  const queue = await testQueue();
  const worker = await runningWorker(queue, { handler: () => {} });
  await expect(worker.run()).rejects.toThrow("This worker is running: make a new one.");
  await worker.drain();
  await expect(worker.run()).rejects.toThrow("This worker is stopped: make a new one.");
  const never = createWorker({
    ...{ baseUrl: queue.url, token: queue.token, environmentId: queue.environmentId },
    ...{ workspaceRoot: "unused", handler: () => {} },
  });
  await never.drain();
  expect(never.status().mode).toBe("stopped");
});

test.each([
  [{ environmentId: "env_1" }, "environmentId must be"],
  [{ concurrency: 0 }, "concurrency must be a whole number from 1 to 1000"],
  [{ ttlSeconds: 5 }, "ttlSeconds must be a whole number from 10 to 600"],
  [{ graceSeconds: -1 }, "graceSeconds must be a number from 0 to 86400"],
  [{ workerId: "two words" }, "workerId must be"],
  [{ token: "line\nbreak" }, "token must be"],
])("the options %j are refused with a sentence", async (options, sentence) => {
  const fine = { url: "http://127.0.0.1:1", token: "t", environmentId: `env_${"0".repeat(32)}` };
  await expect(runningWorker(fine, { handler: () => {}, ...options })).rejects.toThrow(sentence);
});
