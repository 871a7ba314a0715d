import { expect, test } from "vitest";
import { type HandlerContext, TurnAborted, textOf } from "../../src/worker/index.ts";
import { resolveOptions } from "../../src/worker/options.ts";
import { eventually } from "../support/eventually.ts";
import { faultyProxy } from "../support/proxy.ts";
import { workerProcess } from "./support/own-process.ts";
import { runningWorker, testQueue } from "./support/queue.ts";

const message = (text: string) => ({ type: "user.message", content: [{ type: "text", text }] });
const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

test("a handler knows its session and the agent as it was when the session was created", async () => {
  const queue = await testQueue();
  const { client, environmentId } = queue;
  const agent = await client.createAgent({ name: "reviewer", model: "m-1", system: "Be kind." });
  const session = await client.createSession({
    environment_id: environmentId,
    agent: agent.id,
    title: "A review",
    initial_events: [message("go")],
  });
  await client.updateAgent({ agent_id: agent.id, version: agent.version, system: "Be strict." });
  const seen: unknown[] = [];
  await runningWorker(queue, { handler: ({ session, agent }) => seen.push(session.title, agent) });
  await queue.untilIdle(session.id);
  expect(seen).toMatchObject([
    "A review",
    { type: "agent", id: agent.id, version: 1, name: "reviewer", model: "m-1", system: "Be kind." },
  ]);
});

test("a session without an agent has none", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("go");
  const agents: unknown[] = [];
  await runningWorker(queue, { handler: ({ agent }) => agents.push(agent) });
  await queue.untilIdle(session.id);
  expect(agents).toEqual([null]);
});

test("everything of a hand-out is done with its own token, which is worthless afterwards", async () => {
  const queue = await testQueue();
  const proxy = await faultyProxy(queue.url);
  const session = await queue.newSession("go");
  let context: HandlerContext | undefined;
  await runningWorker(
    { ...queue, url: proxy.url },
    {
      maxIdleSeconds: 0.2,
      handler: async (given) => {
        context = given;
        for await (const _ of given.input) await given.say("done");
      },
    },
  );
  await queue.untilIdle(session.id);
  const token = context?.workToken as string;
  expect(token).toMatch(/^cwt_/);
  const used = (polls: boolean) => {
    const requests = proxy.requests.filter(({ path }) => path.endsWith("/poll") === polls);
    return new Set(requests.map(({ headers }) => headers.authorization));
  };
  expect([...used(true)]).toEqual([`Bearer ${queue.token}`]);
  expect([...used(false)]).toEqual([`Bearer ${token}`]);
  const paths = proxy.requests.map(({ path }) => path.split("/").at(-1));
  expect(paths).toEqual(expect.arrayContaining(["ack", "heartbeat", "events", "stream", "stop", session.id]));
  await expect(context?.client.getSession({ session_id: session.id })).rejects.toMatchObject({ status: 401 });
});

test("a server without Work-Tokens is told as what it is", async () => {
  const queue = await testQueue();
  const proxy = await faultyProxy(queue.url);
  await queue.newSession("go");
  const item = (await queue.client.listWork({ environment_id: queue.environmentId })).data[0];
  proxy.route = ({ path }) => (path.endsWith("/poll") ? { status: 200, json: item } : "pass");
  const worker = await runningWorker({ ...queue, url: proxy.url }, { handler: () => {} });
  await expect(worker.ran).rejects.toThrow("has no Work-Token: look for a proxy that removes headers");
});

test("progress is shown at a bounded rate, and its latest text is never left out", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("go");
  await runningWorker(queue, {
    handler: async ({ progress, say }) => {
      for (let step = 0; step <= 1_000; step += 1) progress(`step ${step}`);
      await say("done");
      progress("really done");
    },
  });
  await queue.untilIdle(session.id);
  expect((await queue.events(session.id, "span.progress")).map(textOf)).toEqual(["step 0", "really done"]);
});

test("a turn that takes too long is aborted, and the session is told", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("go");
  const reasons: unknown[] = [];
  const worker = await runningWorker(queue, {
    maxTurnSeconds: 0.2,
    handler: async (context) => {
      const { signal, forced, say, deadline } = context;
      await aborted(signal);
      expect(Math.abs(Date.now() - (deadline as Date).getTime())).toBeLessThan(10_000);
      reasons.push(signal.reason instanceof TurnAborted, signal.reason.reason, forced.aborted);
      await say("last words");
    },
  });
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(reasons).toEqual([true, "timeout", false]);
  expect(await queue.replies(session.id)).toEqual(["last words"]);
  expect((await queue.events(session.id, "session.error")).map(({ error }) => error)).toEqual([
    { type: "timeout", message: "The turn took longer than 0.2 s." },
  ]);
  expect(await queue.items(session.id)).toHaveLength(1);
  await eventually(() => expect(worker.status().ended).toMatchObject({ failed: 1 }));
});

test("the session is told of the timeout even by a handler that ignores it until it is given up", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("go");
  await runningWorker(queue, {
    maxTurnSeconds: 0.1,
    graceSeconds: 0.1,
    handler: () => new Promise<void>((resolve) => setTimeout(resolve, 8_000)),
  });
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect((await queue.events(session.id, "session.error")).map(({ error }) => error)).toMatchObject([
    { type: "timeout" },
  ]);
});

test("every event has the whole time of a turn, and waiting takes nothing from it", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("one", "two");
  const deadlines: number[] = [];
  const worker = await runningWorker(queue, {
    maxTurnSeconds: 2,
    handler: async (context) => {
      for await (const _ of context.input) {
        deadlines.push((context.deadline as Date).getTime());
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  });
  await eventually(() => expect(worker.status().sessions).toMatchObject([{ phase: "waiting" }]));
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  await queue.say(session.id, "three");
  await eventually(() => expect(deadlines).toHaveLength(3));
  const [first, second, third] = deadlines as [number, number, number];
  expect(second - first).toBeGreaterThanOrEqual(10);
  expect(third - second).toBeGreaterThan(2_000);
  await worker.drain();
  expect(worker.status().ended).toMatchObject({ completed: 1, failed: 0 });
});

test("errors that a handler lets go astray are told to the session, and the worker lives on", async () => {
  const queue = await testQueue();
  const { session, output, kill } = await workerProcess(queue, "astray");
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  const errors = await queue.events(session.id, "session.error");
  expect(errors.map(({ error }) => error)).toEqual(
    expect.arrayContaining([
      { type: "unhandled_error", message: "from a timer" },
      { type: "unhandled_error", message: "from a promise" },
    ]),
  );
  expect(errors).toHaveLength(2);
  expect(await queue.replies(session.id)).toEqual(["still here"]);
  const second = await queue.newSession("again");
  expect(await queue.untilIdle(second.id)).toBe("end_turn");
  expect(output()).toContain("handler_astray: The handler let an error go astray: from a timer");
  kill("SIGKILL");
});

test("a worker needs a token, an environment and a handler, and nothing else", () => {
  const environmentId = `env_${"0".repeat(32)}`;
  const options = resolveOptions({ token: "t", environmentId, handler: () => {} });
  expect(options).toMatchObject({
    baseUrl: "http://127.0.0.1:8787",
    workspaceRoot: `${process.cwd()}/workspaces`,
    maxIdleSeconds: 60,
    maxTurnSeconds: undefined,
    concurrency: 1,
  });
  const without = (missing: object) => () =>
    resolveOptions({ token: "t", environmentId, handler: () => {}, ...missing });
  expect(without({ token: undefined })).toThrow("token is missing: give a token of role worker");
  expect(without({ environmentId: undefined })).toThrow("environmentId must be the id of an environment");
  expect(without({ maxIdleSeconds: -1 })).toThrow("maxIdleSeconds must be a number from 0 to 86400");
  expect(without({ maxTurnSeconds: 0 })).toThrow("maxTurnSeconds must be a number from 0.001 to 604800");
});
