import { expect, test } from "vitest";
import { createCommandHandler, type Handler, textOf } from "../../src/worker/index.ts";
import { eventually } from "../support/eventually.ts";
import { faultyProxy } from "../support/proxy.ts";
import { node } from "./support/command.ts";
import { runningWorker, testQueue } from "./support/queue.ts";

/** Answers each message on its own. */
const echo: Handler = async ({ input, say }) => {
  for await (const event of input) await say(`You said: ${textOf(event)}`);
};

test("a handler is given what is unanswered, and then what comes while it waits, on one item", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("one", "two");
  const worker = await runningWorker(queue, { handler: echo });
  await eventually(() => expect(worker.status().sessions).toMatchObject([{ phase: "waiting" }]));
  await queue.say(session.id, "three", "four");
  const replies = ["one", "two", "three", "four"].map((text) => `You said: ${text}`);
  await eventually(async () => expect(await queue.replies(session.id)).toEqual(replies));
  await eventually(() => expect(worker.status().sessions).toMatchObject([{ phase: "waiting" }]));
  expect(await queue.items(session.id)).toMatchObject([{ state: "active" }]);
  await worker.drain();
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(await queue.items(session.id)).toMatchObject([{ state: "stopped" }]);
  expect(worker.status().ended).toMatchObject({ completed: 1, released: 0 });
  const messages = await queue.events(session.id, "user.message");
  expect(messages.every((event) => event.processed_at !== null)).toBe(true);
});

test("whoever follows the session sees when all is answered, although its item goes on", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("one", "two");
  await runningWorker(queue, { handler: echo });
  const ends = async () => (await queue.events(session.id, "span.turn_end")).map((event) => event.processed_through);
  await eventually(async () => expect(await ends()).toHaveLength(1));
  await queue.say(session.id, "three");
  await eventually(async () => expect(await ends()).toHaveLength(2));
  const ids = (await queue.events(session.id, "user.message")).map(({ id }) => id);
  expect(await ends()).toEqual([ids[1], ids[2]]);
});

test("the input ends when nothing came for maxIdleSeconds, and with it the item", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("one");
  const worker = await runningWorker(queue, { handler: echo, maxIdleSeconds: 0.2 });
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  await queue.say(session.id, "two");
  await eventually(() => expect(worker.status().ended.completed).toBe(2));
  expect(await queue.replies(session.id)).toEqual(["You said: one", "You said: two"]);
  expect(await queue.items(session.id)).toHaveLength(2);
});

test("with a maxIdleSeconds of 0 no handler waits", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("one");
  await runningWorker(queue, { handler: echo, maxIdleSeconds: 0 });
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(await queue.events(session.id, "span.turn_end")).toEqual([]);
});

test("a message that comes while the item is being stopped is answered on the next one", async () => {
  const queue = await testQueue();
  const proxy = await faultyProxy(queue.url);
  const session = await queue.newSession("one");
  let late = false;
  proxy.route = ({ path }) => {
    if (late || !path.endsWith("/stop")) return "pass";
    late = true;
    return { before: () => queue.say(session.id, "late") };
  };
  await runningWorker({ ...queue, url: proxy.url }, { handler: echo, maxIdleSeconds: 0.1 });
  await eventually(async () => expect(await queue.replies(session.id)).toEqual(["You said: one", "You said: late"]));
  expect(await queue.items(session.id)).toHaveLength(2);
});

test.each([
  ["after the newest event was looked up", (_path: string, query: URLSearchParams) => query.get("limit") === "1"],
  ["after the input was looked up", (_path: string, query: URLSearchParams) => query.has("after_id")],
  ["before the stream is open", (path: string) => path.endsWith("/events/stream")],
])("a message that comes %s is not missed", async (_, isMoment) => {
  const queue = await testQueue();
  const proxy = await faultyProxy(queue.url);
  const session = await queue.newSession("one");
  let sent = false;
  let answered = false;
  proxy.route = ({ method, path, query, body }) => {
    if (method === "POST" && body.includes("span.turn_end")) answered = true;
    if (!answered || sent || method !== "GET" || !isMoment(path, query)) return "pass";
    sent = true;
    const say = () => queue.say(session.id, "in between");
    return path.endsWith("/stream") ? { before: say } : { after: say };
  };
  await runningWorker({ ...queue, url: proxy.url }, { handler: echo });
  await eventually(async () => expect(await queue.replies(session.id)).toHaveLength(2));
  expect(sent).toBe(true);
  expect(await queue.items(session.id)).toHaveLength(1);
});

test("what a handler did not ask for keeps the session going", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("one", "two", "three");
  await runningWorker(queue, {
    handler: async ({ input, say }) => {
      for await (const event of input) {
        await say(textOf(event));
        break;
      }
    },
  });
  await eventually(async () => expect(await queue.items(session.id)).toHaveLength(3));
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(await queue.replies(session.id)).toEqual(["one", "two", "three"]);
});

test("a second loop goes on where the first one ended, and all of the rest can be taken at once", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("one", "two", "three", "four");
  await runningWorker(queue, {
    handler: async ({ input, say }) => {
      for await (const event of input) {
        await say(textOf(event));
        break;
      }
      for await (const event of input) {
        await say(`again ${textOf(event)}`);
        break;
      }
      await say(input.takeAll().map(textOf).join());
      await say(`${input.takeAll().length}`);
    },
  });
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(await queue.replies(session.id)).toEqual(["one", "again two", "three,four", "0"]);
  expect(await queue.items(session.id)).toHaveLength(1);
});

/** Two of these are more than a worker holds at once, and one is not. */
const LONG = "x".repeat(20 * 1024 * 1024);

/** Three messages that were sent before any worker was there. */
async function longBacklog() {
  const queue = await testQueue();
  const { id } = await queue.newSession();
  for (const text of [LONG, LONG, "short"]) await queue.say(id, text);
  return { queue, id };
}

test("a command is given no more of a long backlog than fits into memory, and the rest with the next items", async () => {
  const { queue, id } = await longBacklog();
  const script = `
    const { events } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
    console.log(events.map(({ content }) => content[0].text.length).join(" and "));`;
  await runningWorker(queue, { handler: createCommandHandler({ command: node(script), env: process.env }) });
  const replies = [`${LONG.length}`, `${LONG.length} and 5`];
  await eventually(async () => expect(await queue.replies(id)).toEqual(replies));
  await eventually(async () => {
    expect((await queue.items(id)).map(({ state }) => state)).toEqual(["stopped", "stopped"]);
  });
});

test("a handler that asks for more is given the rest of a long backlog on the same item", async () => {
  const { queue, id } = await longBacklog();
  const taken: number[][] = [];
  await runningWorker(queue, {
    handler: async ({ input }) => {
      for await (const event of input) taken.push([event, ...input.takeAll()].map((each) => textOf(each).length));
    },
  });
  await eventually(() => expect(taken.flat()).toEqual([LONG.length, LONG.length, 5]));
  expect(taken[0]).toEqual([LONG.length]);
  expect(await queue.items(id)).toHaveLength(1);
});

test("a shutdown in the middle gives back what is not answered, and nothing else", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("one", "two", "three");
  const stopped = await runningWorker(queue, {
    handler: async ({ input, say, signal }) => {
      for await (const event of input) {
        if (textOf(event) === "two") {
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          return;
        }
        await say(textOf(event));
      }
    },
  });
  await eventually(async () => expect(await queue.replies(session.id)).toEqual(["one"]));
  await stopped.abort();
  expect(stopped.status().ended).toMatchObject({ released: 1, completed: 0 });
  await runningWorker(queue, { handler: echo });
  const replies = ["one", "You said: two", "You said: three"];
  await eventually(async () => expect(await queue.replies(session.id)).toEqual(replies));
});

test("a worker that is told to end before its handler took anything gives all of it back", async () => {
  const queue = await testQueue();
  const session = await queue.newSession("one");
  let goOn: (() => void) | undefined;
  const worker = await runningWorker(queue, {
    handler: async (context) => {
      await new Promise<void>((resolve) => (goOn = resolve));
      await echo(context);
    },
  });
  await eventually(() => expect(goOn).toBeDefined());
  const drained = worker.drain();
  goOn?.();
  await drained;
  expect(worker.status().ended).toMatchObject({ released: 1, completed: 0 });
  expect(await queue.replies(session.id)).toEqual([]);
  expect(await queue.items(session.id)).toMatchObject([{ state: "queued" }]);
});

test("a session that waits gives way to another one when there is no other place", async () => {
  const queue = await testQueue();
  const first = await queue.newSession("one");
  const worker = await runningWorker(queue, { handler: echo, concurrency: 1, maxIdleSeconds: 600 });
  await eventually(() => expect(worker.status().sessions).toMatchObject([{ phase: "waiting" }]));
  const second = await queue.newSession("two");
  await eventually(async () => expect(await queue.replies(second.id)).toEqual(["You said: two"]));
  expect(await queue.untilIdle(first.id)).toBe("end_turn");
  expect(worker.status().ended).toMatchObject({ completed: 1, dropped: 0 });
  await queue.say(first.id, "again");
  await eventually(async () => expect(await queue.replies(first.id)).toEqual(["You said: one", "You said: again"]));
});

test("the session that has waited longest gives way", async () => {
  const queue = await testQueue();
  const worker = await runningWorker(queue, { handler: echo, concurrency: 2, maxIdleSeconds: 600 });
  const waiting = (count: number) =>
    eventually(() => {
      const phases = worker.status().sessions.map(({ phase }) => phase);
      expect(phases).toEqual(Array(count).fill("waiting"));
    });
  const first = await queue.newSession("one");
  await waiting(1);
  const second = await queue.newSession("two");
  await waiting(2);
  await queue.say(first.id, "busy again");
  await eventually(async () => expect(await queue.replies(first.id)).toHaveLength(2));
  await waiting(2);
  await queue.newSession("three");
  await queue.untilIdle(second.id);
  expect(worker.status().sessions.map(({ sessionId }) => sessionId)).toContain(first.id);
});

test("an item that is taken away ends the wait of its handler, however rare its heartbeats are", async () => {
  const queue = await testQueue({ streamKeepAliveMs: 200 });
  const session = await queue.newSession("one");
  const worker = await runningWorker(queue, { handler: echo, ttlSeconds: 600 });
  await eventually(() => expect(worker.status().sessions).toMatchObject([{ phase: "waiting" }]));
  await queue.client.archiveSession({ session_id: session.id });
  await eventually(() => expect(worker.status().ended).toMatchObject({ lost: 1 }));
});
