import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createCommandHandler } from "../../src/worker/index.ts";
import { eventually } from "../support/eventually.ts";
import { node, processIsGone, STRAY_WRITER, sh, turnOf } from "./support/command.ts";
import { runningWorker, temporaryFolder, testQueue } from "./support/queue.ts";

test("the command reads the turn as JSON, and each line that it writes becomes a message", async () => {
  const { queue, replies, errors, sessionId } = await turnOf(
    node(`
      let text = "";
      process.stdin.on("data", (chunk) => (text += chunk)).on("end", () => {
        const { work, session, events } = JSON.parse(text);
        console.log(work.data.id === session.id, session.environment_id);
        console.log("");
        console.log(events[0].type, events[0].content[0].text);
      });`),
  );
  expect(replies).toEqual([`true ${queue.environmentId}`, "user.message hello"]);
  expect(errors).toEqual([]);
  expect((await queue.items(sessionId)).map((item) => item.state)).toEqual(["stopped"]);
});

test("the command runs in the session's folder, with its ids in the environment and without the worker's secrets", async () => {
  const { queue, replies, sessionId, workspaceRoot } = await turnOf(
    sh(
      'pwd; echo "$CAPSTAN_SESSION_ID"; echo "$CAPSTAN_ENVIRONMENT_ID"; echo "$CAPSTAN_URL"; echo "$KEPT"; env | grep -c secret',
    ),
  );
  expect(replies).toEqual([join(workspaceRoot, sessionId), sessionId, queue.environmentId, queue.url, "kept", "0"]);
});

test("a command that fails is reported with its exit code and the end of its standard error", async () => {
  const { replies, errors } = await turnOf(
    node(`process.stderr.write("x".repeat(9000) + "the reason\\n"); console.log("before"); process.exitCode = 3;`),
  );
  expect(replies).toEqual(["before"]);
  expect(errors).toMatchObject([{ type: "command_failed", message: "The command exited with code 3.", exit_code: 3 }]);
  const { stderr_tail: tail } = errors[0] as { stderr_tail: string };
  expect(tail.length).toBeLessThanOrEqual(4_096);
  expect(tail.endsWith("xxthe reason")).toBe(true);
});

test("a command that a signal ends is reported with the signal", async () => {
  const { errors } = await turnOf(sh("kill -9 $$"));
  expect(errors).toMatchObject([
    { type: "command_failed", message: "The command was ended by SIGKILL.", exit_code: null, signal: "SIGKILL" },
  ]);
});

test("a command that cannot be started is reported, and the worker goes on", async () => {
  const { errors } = await turnOf(["/nonexistent/agent"]);
  expect(errors).toMatchObject([{ type: "command_failed" }]);
  expect((errors[0] as Error).message).toContain("/nonexistent/agent cannot be started");
});

test("a command that never reads its input does not fail because of that", async () => {
  const { replies, errors } = await turnOf(sh("exec <&-; echo fine"), {}, "x".repeat(500_000));
  expect(replies).toEqual(["fine"]);
  expect(errors).toEqual([]);
});

test("bytes that are no UTF-8 are replaced, and an unfinished last line counts", async () => {
  const { replies } = await turnOf(sh("printf 'a\\377b\\n\\n  \\nno line break'"));
  expect(replies).toEqual(["a\ufffdb", "no line break"]);
});

test("in jsonl mode a line is an event; what is none is told, and kept as text", async () => {
  const lines = [
    `{"type":"agent.message","content":[{"type":"text","text":"one"}],"extra":{"kept":true}}`,
    `{"type":"span.tool","name":"ls"}`,
    "not json",
    `{"type":"user.message","content":[{"type":"text","text":"forged"}]}`,
    `{"type":"agent.message","content":"no blocks"}`,
    `{"type":"agent.message","content":[{"type":"text","text":"two"}]}`,
  ];
  const { queue, replies, errors, sessionId } = await turnOf(["printf", "%s\\n", ...lines], { output: "jsonl" });
  expect(replies).toEqual(["one", lines[2], lines[3], lines[4], "two"]);
  expect(errors).toMatchObject([
    { type: "invalid_output", message: expect.stringContaining("it is not JSON") },
    { type: "invalid_output", message: expect.stringContaining("user.message is not for workers") },
    { type: "invalid_output", message: expect.stringContaining("content") },
  ]);
  const [first] = await queue.events(sessionId, "agent.message");
  expect(first?.extra).toEqual({ kept: true });
  expect(await queue.events(sessionId, "span.tool")).toMatchObject([{ name: "ls" }]);
});

test("an event that is nested too deeply to be sent is told and kept as text, and takes none of its neighbours with it", async () => {
  const message = (text: string, deep: string) =>
    `{"type":"agent.message","content":[{"type":"text","text":"${text}"}],"deep":${deep}}`;
  const tooDeep = message("lost", "[".repeat(20_000) + "]".repeat(20_000));
  const lines = [message("before", "[[]]"), tooDeep, message("after", "{}")];
  const { queue, sessionId, replies, errors } = await turnOf(["printf", "%s\\n", ...lines], { output: "jsonl" });
  expect(replies).toEqual(["before", tooDeep, "after"]);
  expect(errors).toMatchObject([{ type: "invalid_output", message: expect.stringContaining("levels deep") }]);
  expect(await queue.untilIdle(sessionId)).toBe("end_turn");
});

test("an event that only the server can refuse takes none of its neighbours with it", async () => {
  const result = `{"type":"user.tool_result","tool_use_id":"evt_${"0".repeat(32)}"}`;
  const message = `{"type":"agent.message","content":[{"type":"text","text":"after"}]}`;
  const { queue, replies, errors, sessionId } = await turnOf(["printf", "%s\\n", result, result, message], {
    output: "jsonl",
  });
  expect(await queue.events(sessionId, "user.tool_result")).toHaveLength(1);
  expect(replies).toEqual([result, "after"]);
  expect(errors).toMatchObject([{ type: "invalid_output", message: expect.stringContaining("answered already") }]);
});

test("a long output arrives complete and in order", async () => {
  const { replies } = await turnOf(node(`for (let n = 0; n < 20000; n += 1) console.log("line " + n);`));
  expect(replies).toHaveLength(20_000);
  expect(replies[0]).toBe("line 0");
  expect(replies.every((line, index) => line === `line ${index}`)).toBe(true);
});

test("a child that outlives its command and holds the pipes is killed, and does not hang the turn", async () => {
  const { replies, errors } = await turnOf(sh("sleep 600 & echo $!"));
  expect(errors).toEqual([]);
  await eventually(() => processIsGone(Number(replies[0])));
});

test("a child that left the command's group and holds the pipes does not hang the turn either", async () => {
  const { replies, errors } = await turnOf(
    node(`
      const { spawn } = require("node:child_process");
      const child = spawn("sleep", ["600"], { detached: true, stdio: ["ignore", "inherit", "inherit"] });
      child.unref();
      console.log(child.pid);`),
  );
  expect(errors).toEqual([]);
  process.kill(Number(replies[0]), "SIGKILL");
});

test("nor does one that goes on writing into them", async () => {
  const { replies, errors } = await turnOf(sh(`${STRAY_WRITER}; exit 0`));
  expect(new Set(replies)).toEqual(new Set(["x"]));
  expect(errors).toEqual([]);
});

test("nor can that one hold a turn that is forced to end", async () => {
  const queue = await testQueue();
  const worker = await runningWorker(queue, {
    ttlSeconds: 10,
    graceSeconds: 0.2,
    handler: createCommandHandler({
      command: sh(`trap '' TERM; { ${STRAY_WRITER}; } >&2; echo started; while :; do sleep 600; done`),
      env: { PATH: process.env.PATH },
    }),
  });
  const { id } = await queue.newSession("hello");
  await eventually(async () => expect(await queue.replies(id)).toEqual(["started"]));
  await queue.client.cancelSession({ session_id: id });
  expect(await queue.untilIdle(id)).toBe("cancelled");
  expect(worker.events.map((event) => event.type)).not.toContain("handler_stuck");
});

test("a background process that holds no pipe is ended with the turn", async () => {
  const { replies } = await turnOf(sh("sleep 600 >/dev/null 2>&1 & echo $!"));
  await eventually(() => processIsGone(Number(replies[0])));
});

test("a stop request is a SIGTERM to the command and its children, which may finish in their own way", async () => {
  const queue = await testQueue();
  const workspaceRoot = await temporaryFolder();
  const script = `trap 'echo "told to stop"; exit 0' TERM; echo started; sleep 600 & echo $! > child; wait`;
  const env = { PATH: process.env.PATH };
  const worker = await runningWorker(queue, {
    workspaceRoot,
    ttlSeconds: 10,
    handler: createCommandHandler({ command: sh(script), env }),
  });
  const { id } = await queue.newSession("hello");
  await eventually(async () => expect(await queue.replies(id)).toEqual(["started"]));
  await queue.client.cancelSession({ session_id: id });
  expect(await queue.untilIdle(id)).toBe("cancelled");
  expect(await queue.replies(id)).toEqual(["started", "told to stop"]);
  await eventually(() => expect(worker.status().ended.stopped).toBe(1));
  const child = Number(await readFile(join(workspaceRoot, id, "child"), "utf8"));
  await eventually(() => processIsGone(child));
});

test("a command that ignores SIGTERM is killed when the grace period is over", async () => {
  const queue = await testQueue();
  const script = `trap '' TERM; echo $$; while :; do sleep 600; done`;
  const worker = await runningWorker(queue, {
    ttlSeconds: 10,
    graceSeconds: 0.2,
    handler: createCommandHandler({ command: sh(script), env: { PATH: process.env.PATH } }),
  });
  const { id } = await queue.newSession("hello");
  await eventually(async () => expect(await queue.replies(id)).toHaveLength(1));
  await queue.client.cancelSession({ session_id: id });
  expect(await queue.untilIdle(id)).toBe("cancelled");
  processIsGone(Number((await queue.replies(id))[0]));
  expect(await queue.events(id, "session.error")).toEqual([]);
  expect(worker.events.map((event) => event.type)).not.toContain("handler_stuck");
});

test("with the lease the whole process group is gone at once", async () => {
  const queue = await testQueue();
  const script = `trap '' TERM; sleep 600 & echo "$$ $!"; wait; wait`;
  const worker = await runningWorker(queue, {
    ttlSeconds: 10,
    graceSeconds: 3_600,
    handler: createCommandHandler({ command: sh(script), env: { PATH: process.env.PATH } }),
  });
  const { id } = await queue.newSession("hello");
  await eventually(async () => expect(await queue.replies(id)).toHaveLength(1));
  const [item] = await queue.items(id);
  await queue.client.stopWork({ environment_id: queue.environmentId, work_id: item?.id as string, force: true });
  await eventually(() => expect(worker.status().ended.lost).toBe(1));
  const pids = (await queue.replies(id))[0]?.split(" ").map(Number) as number[];
  expect(pids).toHaveLength(2);
  for (const pid of pids) await eventually(() => processIsGone(pid));
});
