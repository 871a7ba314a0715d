import { expect, test } from "vitest";
import { type Handler, type HandlerContext, TurnAborted } from "../../src/worker/index.ts";
import { eventually } from "../support/eventually.ts";
import { runningWorker, type TestQueue, type TestWorker, testQueue } from "./support/queue.ts";

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });

/** Runs until its signal is aborted, and says how that was. */
function waiting(onEnd: (turn: HandlerContext) => Promise<void> | void = () => {}) {
  const turns: HandlerContext[] = [];
  const handler: Handler = async (turn) => {
    turns.push(turn);
    await aborted(turn.signal);
    await onEnd(turn);
  };
  const reasonOf = (index: number) => (turns[index]?.signal.reason as TurnAborted | undefined)?.reason;
  return { turns, handler, reasonOf };
}

async function started(queue: TestQueue, turns: readonly unknown[]) {
  const session = await queue.newSession("hello");
  await eventually(() => expect(turns).toHaveLength(1));
  const [item] = await queue.items(session.id);
  const ids = { environment_id: queue.environmentId, work_id: item?.id as string };
  return { session, ids, item: () => queue.client.getWork(ids) };
}

/** What a worker says about the first event of a type. */
const told = ({ events }: TestWorker, type: string): string | undefined =>
  events.find((event) => event.type === type)?.message;

test("a stop request reaches the handler, whose last words are taken; the item is confirmed as stopped", async () => {
  const queue = await testQueue();
  const { turns, handler, reasonOf } = waiting(async ({ send, forced }) => {
    expect(forced.aborted).toBe(false);
    await send([{ type: "agent.message", content: [{ type: "text", text: "interrupted" }] }]);
    throw new Error("aborted, as told");
  });
  const worker = await runningWorker(queue, { handler, ttlSeconds: 10 });
  const { session, item } = await started(queue, turns);
  await queue.client.cancelSession({ session_id: session.id });
  expect(await queue.untilIdle(session.id)).toBe("cancelled");
  expect(reasonOf(0)).toBe("stop_requested");
  expect(turns[0]?.signal.reason).toBeInstanceOf(TurnAborted);
  expect(await item()).toMatchObject({ state: "stopped" });
  expect(await queue.replies(session.id)).toEqual(["interrupted"]);
  // What the handler throws because it was told to end is no failure of the session.
  expect(await queue.events(session.id, "session.error")).toEqual([]);
  await eventually(() => expect(worker.status().ended).toMatchObject({ stopped: 1, failed: 0 }));
});

test("a handler that ignores a stop request is ended without it, but its slot stays taken", async () => {
  const queue = await testQueue();
  let letGo: () => void = () => {};
  const turns: HandlerContext[] = [];
  const worker = await runningWorker(queue, {
    ttlSeconds: 10,
    graceSeconds: 0.1,
    handler: (turn) => {
      turns.push(turn);
      return turns.length === 1 ? new Promise<void>((resolve) => (letGo = resolve)) : undefined;
    },
  });
  const { session, item } = await started(queue, turns);
  await queue.client.stopWork({ environment_id: queue.environmentId, work_id: (await item()).id });
  await eventually(async () => expect(await item()).toMatchObject({ state: "stopped" }));
  expect(turns[0]?.forced.aborted).toBe(true);
  expect(worker.events.map((event) => event.type)).toContain("handler_stuck");
  await queue.say(session.id, "again");
  expect((await queue.client.workStats({ environment_id: queue.environmentId })).depth).toBe(1);
  expect(worker.status().sessions).toEqual([]);
  letGo();
  await eventually(() => expect(turns).toHaveLength(2));
});

test("a forced stop takes the lease: the handler is aborted, and nothing is written any more", async () => {
  const queue = await testQueue();
  const { turns, handler, reasonOf } = waiting(async ({ send, forced }) => {
    expect(forced.aborted).toBe(true);
    await expect(send([{ type: "agent.message", content: [] }])).rejects.toThrow();
    throw new Error("too late");
  });
  const worker = await runningWorker(queue, { handler, ttlSeconds: 10 });
  const { session, ids } = await started(queue, turns);
  await queue.client.stopWork({ ...ids, force: true });
  await eventually(() => expect(worker.status().ended.lost).toBe(1));
  expect(reasonOf(0)).toBe("lease_lost");
  expect(told(worker, "session_finished")).toMatch(
    /^Item work_\w+: lost after [\d.]+ s\. Item work_\w+ was stopped or given to somebody else; its hand-out is over\.$/,
  );
  expect(told(worker, "call_failed")).toMatch(/^Item work_\w+ was stopped or given to somebody else/);
  const types = (await queue.events(session.id)).map((event) => event.type);
  expect(types).toEqual(["user.message", "session.status_running", "session.status_idle"]);
});

test("a deleted session ends the turn like a lost lease, and the worker goes on", async () => {
  const queue = await testQueue();
  const { turns, handler, reasonOf } = waiting();
  const worker = await runningWorker(queue, { handler, ttlSeconds: 10 });
  const { session } = await started(queue, turns);
  await queue.client.deleteSession({ session_id: session.id });
  await eventually(() => expect(worker.status().ended.lost).toBe(1));
  expect(reasonOf(0)).toBe("lease_lost");
  expect(told(worker, "session_finished")).toContain("was stopped or given to somebody else");
  expect(worker.status().mode).toBe("running");
});

test("a session does not run twice in one worker, even while the handler of a lost turn goes on", async () => {
  const queue = await testQueue();
  const ends: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const worker = await runningWorker(queue, {
    ttlSeconds: 10,
    concurrency: 2,
    handler: async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running -= 1;
    },
  });
  const { session, ids } = await started(queue, ends);
  await queue.client.stopWork({ ...ids, force: true });
  await queue.say(session.id, "again");
  await eventually(() => expect(worker.events.map((event) => event.type)).toContain("delivery_dropped"));
  ends[0]?.();
  await eventually(() => expect(ends).toHaveLength(2));
  ends[1]?.();
  await queue.untilIdle(session.id);
  expect(most).toBe(1);
});

test("a worker that is told to drain lets its session finish, and takes no more", async () => {
  const queue = await testQueue();
  let finish: () => void = () => {};
  const turns: HandlerContext[] = [];
  const worker = await runningWorker(queue, {
    handler: (turn) => {
      turns.push(turn);
      return new Promise<void>((resolve) => (finish = resolve));
    },
  });
  const { session } = await started(queue, turns);
  const drained = worker.drain();
  const waitingSession = await queue.newSession("not for you");
  expect(worker.status().mode).toBe("draining");
  expect(turns[0]?.signal.aborted).toBe(false);
  finish();
  await drained;
  await worker.ran;
  expect(worker.status()).toMatchObject({ mode: "stopped", ended: { completed: 1, released: 0 } });
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(await queue.items(waitingSession.id)).toMatchObject([{ state: "queued" }]);
});

test("a session that does not finish within the grace period is aborted and given back", async () => {
  const queue = await testQueue();
  const { turns, handler, reasonOf } = waiting();
  const worker = await runningWorker(queue, { handler, graceSeconds: 0.2 });
  const { session, item } = await started(queue, turns);
  await worker.drain();
  expect(reasonOf(0)).toBe("shutdown");
  expect(worker.status().ended).toMatchObject({ released: 1, completed: 0 });
  expect(await item()).toMatchObject({ state: "queued", acknowledged_at: null });
  const other = await runningWorker(queue, { handler: () => {} });
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  await eventually(() => expect(other.status().ended.completed).toBe(1));
});

test("abort ends everything at once and gives it back", async () => {
  const queue = await testQueue();
  const { turns, handler } = waiting(({ forced }) => {
    expect(forced.aborted).toBe(true);
  });
  const worker = await runningWorker(queue, { handler, graceSeconds: 3_600 });
  const { item } = await started(queue, turns);
  void worker.drain();
  await worker.abort();
  await worker.ran;
  expect(worker.status()).toMatchObject({ mode: "stopped", ended: { released: 1 } });
  expect(await item()).toMatchObject({ state: "queued" });
});

test("a stop request during the shutdown is confirmed instead of released", async () => {
  const queue = await testQueue();
  const { turns, handler } = waiting(async ({ work, client }) => {
    await queue.client.stopWork({ environment_id: work.environment_id, work_id: work.id });
    expect((await client.getWork({ environment_id: work.environment_id, work_id: work.id })).state).toBe("stopping");
  });
  const worker = await runningWorker(queue, { handler });
  const { item } = await started(queue, turns);
  await worker.abort();
  expect(worker.status().ended).toMatchObject({ stopped: 1, released: 0 });
  expect(await item()).toMatchObject({ state: "stopped" });
});
