import { expect, test } from "vitest";
import { event } from "../../../src/contract/bodies.ts";
import { CLI_ADAPTERS, type CliAdapterName, type NewSessionEvent, textOf } from "../../../src/worker/index.ts";
import { read } from "./told.ts";

test("what Claude Code prints", () => {
  const { conversation, told } = read("claude-code", "output/claude-code.jsonl");
  expect(conversation).toBe("0b6e1f64-2f0b-4c38-9a5e-6f0a6b1a9d11");
  expect(told).toEqual([
    "agent.thinking | The user wants to know what is here.",
    "agent.message | I'll look at the files.",
    'agent.tool_use | Bash | {"command":"ls","description":"List files"}',
    "agent.thinking | The sub-agent has read it.",
    "agent.tool_result | README.md\nsrc",
    "agent.tool_result | failed | no such file\n[image]",
    "agent.message | There is a README and a folder with sources.",
    'span.usage | {"input_tokens":10,"output_tokens":72}',
  ]);
});

test("what Qwen Code prints", () => {
  const { conversation, told } = read("qwen-code", "output/qwen-code.jsonl");
  expect(conversation).toBe("123e4567-e89b-12d3-a456-426614174000");
  expect(told).toEqual([
    "agent.message | Running the tests.",
    'agent.tool_use | run_shell_command | {"command":"npm test"}',
    "agent.tool_result | 12 passed",
    'span.usage | {"input_tokens":20,"output_tokens":5}',
    "session.error | error_during_execution | The quota is used up.",
  ]);
});

test("what Codex prints", () => {
  const { conversation, told } = read("codex", "output/codex.jsonl");
  expect(conversation).toBe("0199a213-81c0-7800-8aa1-bbab2a035a53");
  expect(told).toEqual([
    "agent.thinking | **Looking around**",
    'agent.tool_use | shell | {"command":"bash -lc ls"}',
    "agent.tool_result | README.md\nsrc\n",
    'agent.tool_use | shell | {"command":"bash -lc false"}',
    "agent.tool_result | failed",
    `agent.tool_use | shell | {"command":"bash -lc 'git push'"}`,
    "agent.tool_result | failed",
    'agent.tool_use | spawn_agent | {"prompt":"Look at the tests.","agents":["0199a213-81c0-7800-8aa1-bbab2a035a54"]}',
    "agent.tool_result | completed: They pass.",
    'agent.tool_use | file_change | {"changes":[{"path":"src/a.js","kind":"update"}]}',
    "agent.tool_result | completed",
    'agent.tool_use | docs.search | {"query":"x"}',
    "agent.tool_result | found",
    "agent.thinking | [x] look\n[ ] change",
    "span.warning | A model was rerouted.",
    "agent.message | I changed src/a.js.",
    'span.usage | {"input_tokens":24763,"cached_input_tokens":24448,"output_tokens":122}',
    "session.error | turn_failed | stream disconnected",
  ]);
});

test("what the Gemini CLI prints", () => {
  const { conversation, told } = read("gemini", "output/gemini.jsonl");
  expect(conversation).toBe("5b1e7c1a-9f57-4f2e-8f0e-0c6d3a2b1c0d");
  expect(told).toEqual([
    "agent.message | I will look.",
    'agent.tool_use | list_directory | {"path":"."}',
    "agent.tool_result | README.md",
    "agent.tool_result | failed | File not found.",
    "span.warning | Loop detected.",
    "agent.message | A README.",
    'span.usage | {"total_tokens":250,"input_tokens":200,"output_tokens":50,"cached":0,"input":200,"duration_ms":3000,"tool_calls":2}',
  ]);
});

test("a message that nothing follows is not lost", () => {
  const reader = CLI_ADAPTERS.gemini.reader();
  expect(reader.read({ type: "message", role: "assistant", content: "cut off", delta: true })).toEqual([]);
  expect(reader.end().map(textOf)).toEqual(["cut off"]);
  expect(reader.end()).toEqual([]);
});

const api = "API Error: 529 Overloaded";
const FAILURES = {
  "claude-code": [
    { type: "assistant", error: "server_error", message: { content: [{ type: "text", text: api }] } },
    api,
  ],
  "qwen-code": [{ type: "assistant", message: { content: [{ type: "text", text: `[${api}]` }] } }, "529 Overloaded"],
  codex: [{ type: "error", message: api }, api],
} as const;
const failures = Object.entries(FAILURES) as [keyof typeof FAILURES, (typeof FAILURES)[keyof typeof FAILURES]][];

test.each(failures)("%s: a failure after which the run goes on is a warning", (name, [line, reason]) => {
  const reader = CLI_ADAPTERS[name].reader();
  expect(reader.read(line)).toEqual([]);
  expect(reader.read({ type: "something" })).toEqual([
    { type: "span.warning", content: [{ type: "text", text: reason }] },
  ]);
  expect(reader.end()).toEqual([]);
});

test.each(failures)("%s: a failure that nothing follows is an error", (name, [line, reason]) => {
  const reader = CLI_ADAPTERS[name].reader();
  expect(reader.read(line)).toEqual([]);
  expect(reader.end()).toMatchObject([{ type: "session.error", error: { message: reason } }]);
});

test("an answer of Qwen Code that quotes an error is an answer", () => {
  const message = { content: [{ type: "text", text: `It logs [${api}]` }], usage: { output_tokens: 9 } };
  const reader = CLI_ADAPTERS["qwen-code"].reader();
  expect(reader.read({ type: "assistant", message }).map(textOf)).toEqual([`It logs [${api}]`]);
  expect(reader.read({ type: "result", is_error: false })).toEqual([]);
});

test.each(Object.keys(CLI_ADAPTERS) as CliAdapterName[])(
  "%s: lines that are not what they should be do no harm",
  (name) => {
    const reader = CLI_ADAPTERS[name].reader();
    const lines = [
      {},
      { type: 1 },
      ...[
        "assistant",
        "user",
        "result",
        "item.started",
        "item.completed",
        "turn.failed",
        "tool_use",
        "tool_result",
      ].flatMap((type) => [
        { type },
        { type, message: null, item: [], error: "x", content: 5 },
        { type, message: { content: [null, 1, {}] } },
      ]),
      { type: "message", role: "assistant", content: null },
    ];
    for (const line of lines) for (const one of reader.read(line)) expect(event.safeParse(one).success).toBe(true);
    for (const one of reader.end()) expect(event.safeParse(one).success).toBe(true);
  },
);

test("a very long result is shown in part", () => {
  const reader = CLI_ADAPTERS["claude-code"].reader();
  const block = { type: "tool_result", tool_use_id: "t", content: "x".repeat(1_000_000) };
  const [shown] = reader.read({ type: "user", message: { content: [block] } });
  expect(textOf(shown as NewSessionEvent).length).toBeLessThan(17_000);
  expect(textOf(shown as NewSessionEvent)).toContain("983616 characters left out");
});

test("each CLI is called with its prompt on standard input, and goes on with an earlier conversation", () => {
  const lines = Object.values(CLI_ADAPTERS).map(({ command }) => command("c-1", ["--extra"]).join(" "));
  expect(lines).toEqual([
    "claude --print --output-format stream-json --verbose --resume c-1 --extra",
    "codex exec --json --skip-git-repo-check --extra resume c-1 -",
    "gemini --output-format stream-json --resume c-1 --extra",
    "qwen --output-format stream-json --resume c-1 --extra",
  ]);
  expect(CLI_ADAPTERS.codex.command(undefined, [])).toEqual(["codex", "exec", "--json", "--skip-git-repo-check", "-"]);
});
