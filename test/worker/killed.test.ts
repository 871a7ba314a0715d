import { expect, test } from "vitest";
import { textOf } from "../../src/worker/index.ts";
import { eventually } from "../support/eventually.ts";
import { workerProcess } from "./support/own-process.ts";
import { runningWorker, testQueue } from "./support/queue.ts";

const reply = (text: string) => ({ type: "agent.message", content: [{ type: "text", text }] });

test("when a worker is killed, another takes its session over after the lease, under the same item", async () => {
  const queue = await testQueue({ config: { queue: { start_seconds: 5 } } });
  const { session, kill } = await workerProcess(queue, "wait");
  const other = await runningWorker(queue, { handler: async ({ send }) => void (await send([reply("taken over")])) });
  const [item] = await queue.items(session.id);
  kill("SIGKILL");
  expect(await queue.untilIdle(session.id, 30_000)).toBe("end_turn");
  expect(await queue.replies(session.id)).toEqual(["taken over"]);
  expect(await queue.items(session.id)).toMatchObject([{ id: item?.id, state: "stopped" }]);
  expect((await queue.events(session.id)).map((event) => event.type)).toContain("session.status_rescheduled");
  await eventually(() => expect(other.status().ended.completed).toBe(1));
}, 60_000);

test("whoever takes over a conversation answers only what nobody has answered yet", async () => {
  const queue = await testQueue();
  const { session, kill } = await workerProcess(queue, "talk");
  await eventually(async () => expect(await queue.events(session.id, "span.turn_end")).toHaveLength(1));
  kill("SIGKILL");
  await queue.say(session.id, "two");
  await runningWorker(queue, { handler: async ({ input, say }) => say(`now ${input.takeAll().map(textOf).join()}`) });
  expect(await queue.untilIdle(session.id, 30_000)).toBe("end_turn");
  expect(await queue.replies(session.id)).toEqual(["You said: hello", "now two"]);
  expect(await queue.items(session.id)).toHaveLength(1);
}, 60_000);

test("a worker that was suspended for longer than its lease touches nothing when it wakes up", async () => {
  const queue = await testQueue();
  const { session, kill, output } = await workerProcess(queue, "wait");
  kill("SIGSTOP");
  await runningWorker(queue, { handler: async ({ send }) => void (await send([reply("taken over")])) });
  expect(await queue.untilIdle(session.id, 30_000)).toBe("end_turn");
  const before = await queue.events(session.id);
  kill("SIGCONT");
  await eventually(() => expect(output()).toMatch(/session_finished: .* lost/));
  expect(output()).toContain("handler aborted: lease_lost");
  expect(output()).toContain("send refused");
  expect(await queue.events(session.id)).toEqual(before);
}, 60_000);
