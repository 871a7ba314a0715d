import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionEvent } from "../../src/client/index.ts";
import { ensureBuilt, ROOT } from "../support/build.ts";
import { runCli } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";
import { type Examples, example, message, replies, startExamples, terminated } from "./support.ts";

let examples: Examples;
beforeAll(async () => {
  await ensureBuilt();
  examples = await startExamples();
}, 150_000);
afterAll(() => examples.stop());

test("every example is run by a test in this folder", () => {
  const tests = readdirSync(import.meta.dirname).map((name) => readFileSync(join(import.meta.dirname, name), "utf8"));
  for (const name of readdirSync(join(ROOT, "examples"))) {
    const runs = tests.some((text) => text.includes(`example("${name}")`) || text.includes(`examples/${name}"`));
    expect(runs, name).toBe(true);
  }
});

describe("the minimal agent", () => {
  test("has fewer than 15 lines", () => {
    const lines = readFileSync(example("minimal-agent.mjs"), "utf8").trimEnd().split("\n");
    expect(lines.length).toBeLessThan(15);
  });

  test("answers, stays for the next message, and ends when it is told to", async () => {
    const agent = examples.start([example("minimal-agent.mjs")]);
    const session = await examples.newSession("one");
    expect(await replies(examples, session, 1)).toEqual(["You said: one"]);
    await examples.say(session, "two");
    expect(await replies(examples, session, 2)).toEqual(["You said: one", "You said: two"]);
    expect((await examples.client.listWork({ environment_id: examples.environmentId })).data).toHaveLength(1);
    expect(await terminated(agent)).toEqual([0, null]);
    const events = await examples.events(session);
    expect(events.at(-1)).toMatchObject({ type: "session.status_idle", stop_reason: { type: "end_turn" } });
    expect(events.filter(({ type, processed_at }) => type === "user.message" && processed_at === null)).toEqual([]);
  });

  test("is done for whoever runs a prompt as soon as it has answered", async () => {
    examples.start([example("minimal-agent.mjs")]);
    const { env, environmentId, server } = examples;
    const run = await runCli(["run", "hello", "--environment", environmentId], { env: { ...env, ...server.env } });
    expect(run).toMatchObject({ code: 0, stdout: "You said: hello\n" });
  });
});

describe("the tool worker", () => {
  /** Plays the model: asks for a tool, and reads what it is answered. */
  async function use(session: string, name: string, input: Record<string, unknown>) {
    const asked = { type: "agent.tool_use", name, input };
    const { data } = await examples.client.sendEvents({ session_id: session, events: [asked] });
    return await eventually(async () => {
      const result = (await examples.events(session)).find(({ tool_use_id }) => tool_use_id === data[0]?.id);
      expect(result).toMatchObject({ type: "user.tool_result" });
      const { content, is_error } = result as SessionEvent;
      const [block] = content as { text: string }[];
      return is_error === true ? `error: ${block?.text}` : block?.text;
    });
  }

  test("answers each tool use of a session, in the session's own folder", async () => {
    examples.start([example("tool-worker.mjs")]);
    const session = await examples.newSession("Write a file.");
    await eventually(async () => {
      const { data } = await examples.client.listWork({ environment_id: examples.environmentId, state: "active" });
      expect(data.map((item) => item.data.id)).toContain(session);
    });
    expect(await use(session, "write", { path: "a.txt", content: "one\n" })).toBe("4 bytes written to a.txt.");
    expect(await use(session, "edit", { path: "a.txt", old_text: "one", new_text: "two" })).toContain("1 place");
    expect(await use(session, "bash", { command: "cat a.txt; pwd" })).toBe(
      `two\n${join(examples.folder, "workspaces", session)}\n`,
    );
    expect(await use(session, "grep", { pattern: "tw" })).toBe("a.txt:1:two\n");
    expect(await use(session, "glob", { pattern: "*" })).toBe("a.txt");
    expect(await use(session, "read", { path: "/etc/passwd" })).toMatch(/^error: .*outside of the workspace/);
    expect(await use(session, "rm", {})).toMatch(/^error: There is no tool rm/);
  });

  test("answers what was asked before it came, and not what somebody else has answered", async () => {
    const { client } = examples;
    const session = await examples.newSession("Go.");
    const ask = (text: string) => ({ type: "agent.tool_use", name: "bash", input: { command: `echo ${text}` } });
    const { data } = await client.sendEvents({ session_id: session, events: [ask("first"), ask("second")] });
    const answer = { type: "user.tool_result", tool_use_id: data[0]?.id as string, content: [] };
    await client.sendEvents({ session_id: session, events: [answer] });
    examples.start([example("tool-worker.mjs")]);
    expect(await use(session, "bash", { command: "echo third" })).toBe("third\n");
    const results = (await examples.events(session)).filter(({ type }) => type === "user.tool_result");
    expect(results.map(({ content }) => (content as { text: string }[])[0]?.text)).toEqual([
      undefined,
      "second\n",
      "third\n",
    ]);
  });
});

describe("a coding CLI", () => {
  const recordings = join(import.meta.dirname, "..", "worker", "adapters", "recorded");

  /** Prints what a CLI has printed in a real run, and what it was told. */
  function recorded(name: string): string[] {
    const file = join(examples.folder, "recorded.mjs");
    const version = readdirSync(recordings).find((folder) => folder.startsWith(`${name}-`)) ?? "";
    const output = join(recordings, version, "command.jsonl");
    writeFileSync(
      file,
      `import { readFileSync } from "node:fs";
       const prompt = readFileSync(0, "utf8");
       process.stdout.write(readFileSync(${JSON.stringify(output)}, "utf8"));
       console.log("The prompt was: " + prompt);`,
    );
    return [example("cli-agent.mjs"), name, "--", process.execPath, file];
  }

  test.each(["claude-code", "codex", "gemini", "qwen-code"])("%s is an agent of its own", async (name) => {
    const agent = examples.start(recorded(name));
    const session = await examples.newSession("What is here?");
    const events = await eventually(async () => {
      const found = await examples.events(session);
      expect(found.at(-1)?.type).toBe("session.status_idle");
      return found;
    });
    const types = new Set(events.map(({ type }) => type));
    for (const type of ["agent.message", "agent.tool_use", "agent.tool_result", "span.usage"]) {
      expect(types).toContain(type);
    }
    expect(events.find(({ type }) => type === "span.output")?.content).toEqual([
      { type: "text", text: "The prompt was: What is here?" },
    ]);
    expect(await terminated(agent)).toEqual([0, null]);
  });
});

test("a message to a worker that stays is not told apart from the first one", async () => {
  examples.start([example("minimal-agent.mjs")]);
  const { client, environmentId } = examples;
  const session = await client.createSession({ environment_id: environmentId });
  await client.sendEvents({ session_id: session.id, events: [message("first"), message("second")] });
  expect(await replies(examples, session.id, 2)).toEqual(["You said: first", "You said: second"]);
});
