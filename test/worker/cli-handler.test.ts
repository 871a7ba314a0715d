import { readFileSync } from "node:fs";
import { rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CLI_ADAPTERS, createCliHandler, textOf } from "../../src/worker/index.ts";
import { eventually } from "../support/eventually.ts";
import { SECRETS } from "./support/command.ts";
import { runningWorker, temporaryFolder, testQueue } from "./support/queue.ts";

/** Stands for a CLI: notes how it was called, and prints lines like Codex. */
const FAKE = `
  const { appendFileSync, readFileSync } = require("node:fs");
  const prompt = readFileSync(0, "utf8");
  appendFileSync("calls", JSON.stringify({ args: process.argv.slice(1), prompt }) + "\\n");
  console.log("A note for people.");
  const lines = [
    { type: "thread.started", thread_id: "thread-1" },
    { type: "item.completed", item: { id: "i", type: "agent_message", text: "You said: " + prompt } },
    { type: "turn.completed", usage: { output_tokens: 1 } },
  ];
  for (const line of lines) console.log(JSON.stringify(line));
  process.exitCode = prompt === "fail" ? 7 : 0;
`;

async function scene() {
  const queue = await testQueue();
  const workspaceRoot = await temporaryFolder();
  const command = (conversation: string | undefined, args: readonly string[]) => [
    ...[process.execPath, "-e", FAKE, "--", ...args],
    ...(conversation === undefined ? [] : ["resume", conversation]),
  ];
  const env = { PATH: process.env.PATH, ...SECRETS };
  const handler = createCliHandler({ adapter: CLI_ADAPTERS.codex, command, args: ["--yolo"], env });
  await runningWorker(queue, { workspaceRoot, handler });
  const calls = (id: string) =>
    readFileSync(join(workspaceRoot, id, "calls"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  return { queue, workspaceRoot, calls };
}

test("a turn's messages are one prompt, and what the CLI prints becomes events", async () => {
  const { queue, calls } = await scene();
  const session = await queue.newSession("one", "two");
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(calls(session.id)).toEqual([{ args: ["--yolo"], prompt: "one\n\ntwo" }]);
  const events = (await queue.events(session.id)).filter(({ type }) => /^(agent|span)\./.test(type));
  expect(events.map((event) => `${event.type} ${textOf(event)}`)).toEqual([
    "span.output A note for people.",
    "agent.message You said: one\n\ntwo",
    "span.usage ",
  ]);
});

test("the CLI goes on with its conversation in the next turn", async () => {
  const { queue, calls } = await scene();
  const session = await queue.newSession("one");
  await queue.untilIdle(session.id);
  await queue.say(session.id, "two");
  await eventually(() => expect(calls(session.id)).toHaveLength(2));
  expect(calls(session.id)[1]).toEqual({ args: ["--yolo", "resume", "thread-1"], prompt: "two" });
});

test.each([
  ["a flag", async (file: string) => writeFile(file, "--dangerous")],
  ["a link out of the folder", async (file: string) => rm(file).then(() => symlink("/etc/hostname", file))],
])("what is kept of the conversation cannot be turned into %s", async (_, tamper) => {
  const { queue, workspaceRoot, calls } = await scene();
  const session = await queue.newSession("one");
  await queue.untilIdle(session.id);
  await tamper(join(workspaceRoot, session.id, ".capstan-conversation"));
  await queue.say(session.id, "two");
  await eventually(() => expect(calls(session.id)).toHaveLength(2));
  expect(calls(session.id)[1].args).toEqual(["--yolo"]);
});

test("a CLI that fails is a failed turn, with what it had said", async () => {
  const { queue } = await scene();
  const session = await queue.newSession("fail");
  await queue.untilIdle(session.id);
  expect(await queue.replies(session.id)).toEqual(["You said: fail"]);
  expect((await queue.events(session.id, "session.error")).map(({ error }) => error)).toMatchObject([
    { type: "command_failed", exit_code: 7 },
  ]);
});
