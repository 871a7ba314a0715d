import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type HandlerContext, TurnFailed, textOf } from "../../src/worker/index.ts";
import { eventually } from "../support/eventually.ts";
import { runningWorker, temporaryFolder, testQueue } from "./support/queue.ts";

const texts = (input: HandlerContext["input"]): string[] => input.takeAll().map(textOf);
const reply = (text: string) => ({ type: "agent.message", content: [{ type: "text", text }] });

test("a session is run from its message to its reply, and its item ends as stopped", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("hello", "world");
  const turns: HandlerContext[] = [];
  const worker = await runningWorker(queue, {
    handler: async (turn) => {
      turns.push(turn);
      await turn.send([reply(`${texts(turn.input).join(" ")}!`)]);
    },
  });
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(await queue.replies(session.id)).toEqual(["hello world!"]);
  expect(turns[0]?.session.id).toBe(session.id);
  expect(turns[0]?.work).toMatchObject({ environment_id: queue.environmentId, data: { id: session.id } });
  const [item, ...others] = await queue.items(session.id);
  expect(item).toMatchObject({ state: "stopped" });
  expect(item?.started_at).not.toBeNull();
  expect(others).toEqual([]);
  await eventually(() => expect(worker.status().ended).toMatchObject({ completed: 1, failed: 0, lost: 0 }));
});

test("the heartbeat comes before the handler, which starts on an active item and sees it as the server does", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("hello");
  const seen: unknown[] = [];
  await runningWorker(queue, {
    handler: async ({ client, work }) => {
      seen.push(work, await client.getWork({ environment_id: work.environment_id, work_id: work.id }));
    },
  });
  await queue.untilIdle(session.id);
  const [given, stored] = seen;
  expect(stored).toMatchObject({ state: "active", latest_heartbeat_at: expect.any(String) });
  expect(given).toEqual(stored);
});

test("each turn gets the input that nobody has dealt with, also what came during the turn before", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("one");
  const given: string[][] = [];
  await runningWorker(queue, {
    handler: async ({ input, send }) => {
      given.push(texts(input));
      if (given.length === 1) await queue.say(session.id, "two", "three");
      // An event of the agent after the new input must not make that count as answered.
      await send([reply("done")]);
    },
  });
  await eventually(async () => expect(await queue.items(session.id)).toHaveLength(2));
  await queue.untilIdle(session.id);
  expect(given).toEqual([["one"], ["two", "three"]]);
});

test("a session of thousands of events is given its new input only", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("old");
  const given: string[][] = [];
  await runningWorker(queue, {
    handler: async ({ input, send }) => {
      given.push(texts(input));
      await send(Array.from({ length: 2_500 }, (_, index) => reply(`line ${index}`)));
    },
  });
  await queue.untilIdle(session.id);
  expect(await queue.replies(session.id)).toHaveLength(2_500);
  await queue.say(session.id, ...Array.from({ length: 250 }, (_, index) => `new ${index}`));
  await eventually(() => expect(given).toHaveLength(2));
  expect(given[1]).toEqual(Array.from({ length: 250 }, (_, index) => `new ${index}`));
});

test("a handler that throws ends its turn with a session.error, and the worker goes on", async () => {
  const queue = await testQueue();
  const first = await queue.newSession("fail");
  const second = await queue.newSession("facts");
  const third = await queue.newSession("fine");
  const worker = await runningWorker(queue, {
    handler: ({ input }) => {
      const [text] = texts(input);
      if (text === "fail") throw new Error("it broke");
      if (text === "facts") throw new TurnFailed("quota", "No quota is left.", { left: 0 });
    },
  });
  for (const session of [first, second, third]) expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect((await queue.events(first.id, "session.error")).map((event) => event.error)).toEqual([
    { type: "handler_failed", message: "it broke" },
  ]);
  expect((await queue.events(second.id, "session.error")).map((event) => event.error)).toEqual([
    { type: "quota", message: "No quota is left.", left: 0 },
  ]);
  expect(await queue.events(third.id, "session.error")).toEqual([]);
  await eventually(() => expect(worker.status().ended).toMatchObject({ completed: 1, failed: 2 }));
  expect(worker.status().mode).toBe("running");
});

test("a session keeps its folder between turns, and no other session sees it", async () => {
  const queue = await testQueue();
  const root = await temporaryFolder();
  const seen: string[] = [];
  await runningWorker(queue, {
    workspaceRoot: join(root, "made", "by the worker"),
    handler: async ({ workspace, input }) => {
      const file = join(workspace, "notes");
      seen.push(await readFile(file, "utf8").catch(() => "nothing"));
      await writeFile(file, texts(input).join());
      expect((await stat(workspace)).mode & 0o077).toBe(0);
    },
  });
  const one = await queue.newSession("one");
  await queue.untilIdle(one.id);
  const two = await queue.newSession("two");
  await queue.untilIdle(two.id);
  await queue.say(one.id, "one again");
  await eventually(() => expect(seen).toEqual(["nothing", "nothing", "one"]));
});

test("sends that the handler did not wait for arrive before the turn ends, and none after it", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("hello");
  let late: HandlerContext["send"] | undefined;
  await runningWorker(queue, {
    handler: ({ send }) => {
      for (let index = 0; index < 20; index += 1) void send([reply(String(index))]);
      late = send;
    },
  });
  await queue.untilIdle(session.id);
  expect(await queue.replies(session.id)).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
  await expect(late?.([reply("late")])).rejects.toThrow("The turn is over");
});

test("an event that the server refuses rejects the handler's send, and nothing else", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("hello");
  await runningWorker(queue, {
    handler: async ({ send }) => {
      const failure = await send([{ type: "agent.message" }]).catch((error) => error);
      await send([reply(`${failure.name} ${failure.status}`)]);
    },
  });
  await queue.untilIdle(session.id);
  expect(await queue.replies(session.id)).toEqual(["ApiError 400"]);
});

test("as many sessions run at once as the worker was told, and no more", async () => {
  const queue = await testQueue();
  const sessions = await Promise.all(Array.from({ length: 5 }, () => queue.newSession("go")));
  let running = 0;
  let most = 0;
  const finish: (() => void)[] = [];
  const worker = await runningWorker(queue, {
    concurrency: 3,
    handler: async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => finish.push(resolve));
      running -= 1;
    },
  });
  await eventually(() => expect(running).toBe(3));
  expect(worker.status().sessions).toHaveLength(3);
  expect(worker.status().line).toContain("3/3 sessions");
  // The poll loop waits for a free slot: nothing more was handed out to sit in this process.
  expect((await queue.client.workStats({ environment_id: queue.environmentId })).depth).toBe(2);
  await eventually(() => {
    for (const end of finish.splice(0)) end();
    expect(worker.status().ended.completed).toBe(5);
  });
  for (const session of sessions) expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(most).toBe(3);
});
