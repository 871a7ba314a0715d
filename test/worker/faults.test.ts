import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { faultyProxy, type Passage } from "../support/proxy.ts";
import type { SeenRequest } from "../support/scripted-server.ts";
import { runningWorker, type TestQueue, testQueue } from "./support/queue.ts";

const reply = (text: string) => ({ type: "agent.message", content: [{ type: "text", text }] });

/** A queue, and the same one through a network on which each call meets its faults, one after the other. */
async function behindFaults(faults: Readonly<Record<string, Passage[]>>) {
  const queue = await testQueue();
  const proxy = await faultyProxy(queue.url);
  const nameOf = (request: SeenRequest) => `${request.method} ${request.path.split("/").at(-1)}`;
  proxy.route = (request) => faults[nameOf(request)]?.shift() ?? "pass";
  const seen = (name: string) => proxy.requests.filter((request) => nameOf(request) === name);
  return { queue, proxied: { ...queue, url: proxy.url } satisfies TestQueue, seen };
}

const refusedBy = (type: string, status: number): Passage => ({
  status,
  json: { type: "error", request_id: "req", error: { type, message: "not now" } },
});

test.each<[string, Passage]>([
  ["a lost reply", "lose_reply"],
  ["a lost request", "lose_request"],
  ["a 429 of the server", refusedBy("rate_limit_error", 429)],
  ["a 500 of the server", refusedBy("api_error", 500)],
  ["a 503 of the server", refusedBy("api_error", 503)],
  ["the error page of a proxy", { status: 404 }],
])("a turn survives %s on each of its calls, and every event is there once", async (_, fault) => {
  const calls = ["GET poll", "POST ack", "POST heartbeat", "GET events", "POST events", "POST stop"];
  const { queue, proxied } = await behindFaults(Object.fromEntries(calls.map((call) => [call, [fault]])));
  const session = await queue.newSession("hello");
  const worker = await runningWorker(proxied, {
    handler: async ({ send }) => {
      await send([reply("one"), reply("two")]);
      await send([reply("three")]);
    },
  });
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(await queue.replies(session.id)).toEqual(["one", "two", "three"]);
  expect(await queue.items(session.id)).toHaveLength(1);
  await eventually(() => expect(worker.status().ended).toMatchObject({ completed: 1, lost: 0 }));
});

test("events that are more than a page holds are there once, and so are those that follow, when both replies are lost", async () => {
  const { queue, proxied } = await behindFaults({ "POST events": ["lose_reply", "lose_reply"] });
  const session = await queue.newSession("hello");
  const megabyte = "x".repeat(1024 * 1024);
  const sent: number[] = [];
  await runningWorker(proxied, {
    handler: async ({ send }) => {
      sent.push((await send(Array.from({ length: 10 }, (_, index) => reply(`${index} ${megabyte}`)))).length);
      sent.push((await send([reply("after")])).length);
    },
  });
  await queue.untilIdle(session.id, 30_000);
  expect((await queue.replies(session.id)).map((text) => text.split(" ")[0])).toEqual([..."0123456789", "after"]);
  expect(sent).toEqual([10, 1]);
}, 40_000);

test("events of more types than a list can be asked for are found as well", async () => {
  const { queue, proxied } = await behindFaults({ "POST events": ["lose_reply", "lose_reply"] });
  const session = await queue.newSession("hello");
  const types = Array.from({ length: 150 }, (_, index) => `span.kind${index}`);
  await runningWorker(proxied, {
    handler: async ({ send }) => {
      await send(types.map((type) => ({ type })));
      await send([{ type: "span.kind149", another: true }]);
    },
  });
  await queue.untilIdle(session.id);
  const seen = (await queue.events(session.id)).filter(({ type }) => type.startsWith("span.kind"));
  expect(seen.map(({ type }) => type)).toEqual([...types, "span.kind149"]);
});

test("an event that equals an earlier one is not taken for it when its request is lost", async () => {
  const { queue, proxied } = await behindFaults({ "POST events": ["pass", "lose_request"] });
  const session = await queue.newSession("hello");
  await runningWorker(proxied, {
    handler: async ({ send }) => {
      await send([reply("same")]);
      await send([reply("same")]);
    },
  });
  await queue.untilIdle(session.id);
  expect(await queue.replies(session.id)).toEqual(["same", "same"]);
});

test("what an earlier owner of the item wrote is not taken for this turn's event", async () => {
  const { queue, proxied } = await behindFaults({ "POST events": ["pass", "lose_request"] });
  const session = await queue.newSession("hello");
  const first = await runningWorker(proxied, {
    handler: async ({ send, signal }) => {
      await send([reply("same")]);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  await eventually(async () => expect(await queue.replies(session.id)).toHaveLength(1));
  await first.abort();
  await runningWorker(proxied, { handler: async ({ send }) => void (await send([reply("same")])) });
  await queue.untilIdle(session.id);
  expect(await queue.replies(session.id)).toEqual(["same", "same"]);
});

test("every heartbeat names what it expects and has a key; a repeat of one is declared and has the same key", async () => {
  const { queue, proxied, seen } = await behindFaults({ "POST heartbeat": ["lose_reply", { status: 503 }] });
  const session = await queue.newSession("hello");
  let finish: () => void = () => {};
  await runningWorker(proxied, {
    ttlSeconds: 10,
    handler: () => new Promise<void>((resolve) => (finish = resolve)),
  });
  await eventually(() => expect(seen("POST heartbeat").length).toBeGreaterThanOrEqual(4));
  finish();
  await queue.untilIdle(session.id);
  const [first, second, third, fourth] = seen("POST heartbeat");
  expect([first, second, third].map((beat) => beat?.query.get("expected_last_heartbeat"))).toEqual(
    Array(3).fill("NO_HEARTBEAT"),
  );
  expect([first, second, third].map((beat) => beat?.headers["x-stainless-retry-count"])).toEqual([undefined, "1", "2"]);
  expect(new Set([first, second, third].map((beat) => beat?.headers["idempotency-key"])).size).toBe(1);
  expect(fourth?.query.get("expected_last_heartbeat")).toMatch(/^\d{4}-/);
  expect(fourth?.headers["idempotency-key"]).not.toBe(first?.headers["idempotency-key"]);
  for (const beat of seen("POST heartbeat")) {
    expect(beat.query.get("desired_ttl_seconds")).toBe("10");
  }
});

test("polls ask the server to wait, under the worker's name", async () => {
  const { proxied, seen } = await behindFaults({});
  const worker = await runningWorker(proxied, { handler: () => {} });
  await eventually(() => expect(seen("GET poll")).toHaveLength(1));
  expect(seen("GET poll")[0]?.headers).toMatchObject({ "worker-id": worker.workerId, prefer: "wait=25" });
});

test("a server that has nothing and does not wait is not asked in a tight loop", async () => {
  const none: Passage = { status: 200, json: null };
  const { proxied, seen } = await behindFaults({ "GET poll": Array.from({ length: 1_000 }, () => none) });
  const startedAt = performance.now();
  await runningWorker(proxied, { handler: () => {} });
  await eventually(() => expect(seen("GET poll")).toHaveLength(3));
  expect(performance.now() - startedAt).toBeGreaterThan(2 * 900);
});

test("an item that was asked to stop before its first heartbeat is confirmed without running the handler", async () => {
  const queue = await testQueue();
  const proxy = await faultyProxy(queue.url);
  const session = await queue.newSession("hello");
  proxy.route = (request) =>
    request.path.endsWith("/ack") ? { after: () => queue.client.cancelSession({ session_id: session.id }) } : "pass";
  let ran = 0;
  const worker = await runningWorker(
    { ...queue, url: proxy.url },
    {
      handler: () => {
        ran += 1;
      },
    },
  );
  expect(await queue.untilIdle(session.id)).toBe("cancelled");
  await eventually(() => expect(worker.status().ended.stopped).toBe(1));
  expect(ran).toBe(0);
});

test("an item that another worker took before the ack is dropped, and polling goes on", async () => {
  const queue = await testQueue();
  const proxy = await faultyProxy(queue.url);
  const { id } = await queue.newSession("hello");
  const [item] = await queue.items(id);
  const ids = { environment_id: queue.environmentId, work_id: item?.id as string, worker_id: "thief" };
  let stolen = false;
  proxy.route = (request) => {
    if (stolen || !request.path.endsWith("/ack")) return "pass";
    stolen = true;
    return {
      before: async () => {
        const { environment_id, worker_id } = ids;
        await queue.client.pollWork({ environment_id, worker_id, reclaim_older_than_ms: 0 });
        await queue.client.ackWork(ids);
      },
    };
  };
  const worker = await runningWorker({ ...queue, url: proxy.url }, { handler: () => {} });
  await eventually(() => expect(worker.status().ended.dropped).toBe(1));
  const other = await queue.newSession("another");
  await queue.untilIdle(other.id);
  expect(await queue.client.getWork({ environment_id: ids.environment_id, work_id: ids.work_id })).toMatchObject({
    state: "starting",
  });
});
