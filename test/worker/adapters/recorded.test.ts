import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CLI_ADAPTERS, type CliAdapterName } from "../../../src/worker/index.ts";
import { read } from "./told.ts";

const FOLDERS = {
  "claude-code": "recorded/claude-code-2.1.197",
  codex: "recorded/codex-0.169.0",
  gemini: "recorded/gemini-0.61.0",
  "qwen-code": "recorded/qwen-code-0.15.10",
} as const satisfies Record<CliAdapterName, string>;
const NAMES = Object.keys(CLI_ADAPTERS) as CliAdapterName[];

/** What a recording is read as; of the usage only the tokens, because each CLI adds much of its own. */
const recorded = (name: CliAdapterName, run: string): string[] =>
  read(name, `${FOLDERS[name]}/${run}.jsonl`).told.map((line) =>
    line.replace(/^span\.usage .*?"input_tokens":(\d+).*?"output_tokens":(\d+).*$/, "span.usage | $1 in, $2 out"),
  );

const THOUGHT = "The user wants to know what the notes say.";
const LOOK = "agent.message | I'll look at the notes.";
const ANSWER = "agent.message | The notes say: water the plants.";
const NO_FILE = "agent.message | There is no such file.";
const NOT_ALLOWED = "agent.message | I was not allowed to do that.";
const CHANGED = "agent.message | I have changed the notes.";
const USAGE = "span.usage | 200 in, 40 out";

describe.each(NAMES)("a real run of %s", (name) => {
  test("is answered by one message", () => {
    expect(recorded(name, "text")[0]).toBe(ANSWER);
    expect(recorded(name, "text").slice(1)).toEqual([expect.stringMatching(/^span\.usage/)]);
  });

  test("goes on with its conversation in the next turn", () => {
    const { conversation } = read(name, `${FOLDERS[name]}/text.jsonl`);
    expect(conversation).toMatch(/^[0-9a-f-]{36}$/);
    expect(read(name, `${FOLDERS[name]}/next-turn.jsonl`).conversation).toBe(conversation);
  });

  const runs = readdirSync(new URL(FOLDERS[name], import.meta.url));
  test.each(runs)("pairs each result with its call in %s", (run) => {
    const { events } = read(name, `${FOLDERS[name]}/${run}`);
    const idsOf = (wanted: string) => events.filter(({ type }) => type === wanted).map((one) => one.call_id);
    expect(idsOf("agent.tool_result").toSorted()).toEqual(idsOf("agent.tool_use").toSorted());
  });
});

describe("a real run of Claude Code", () => {
  const bash = (command: string) =>
    `agent.tool_use | Bash | ${JSON.stringify({ command, description: "Look at the notes" })}`;
  const before = [`agent.thinking | ${THOUGHT}`, LOOK];

  test.each([
    ["command", [...before, bash("cat notes.txt"), "agent.tool_result | water the plants", ANSWER, USAGE]],
    [
      "failing-command",
      [
        ...before,
        bash("cat missing.txt"),
        "agent.tool_result | failed | Exit code 1\ncat: missing.txt: No such file or directory",
        NO_FILE,
        USAGE,
      ],
    ],
    [
      "declined",
      [
        ...before,
        bash("touch changed.txt"),
        expect.stringMatching(/^agent\.tool_result \| failed \| touch in .* was blocked\./),
        NOT_ALLOWED,
        USAGE,
      ],
    ],
    [
      "edit",
      [
        ...before,
        'agent.tool_use | Write | {"file_path":"/home/agent/session/new.txt","content":"new\\n"}',
        expect.stringMatching(/^agent\.tool_result \| File created successfully/),
        CHANGED,
        USAGE,
      ],
    ],
    [
      "sub-agent",
      [
        expect.stringMatching(/^agent\.tool_use \| Agent \| /),
        // What its tools do is printed, what it says itself only as the result.
        bash("cat notes.txt"),
        "agent.tool_result | water the plants",
        expect.stringMatching(/^agent\.tool_result \| The notes are about plants\.\n/),
        "agent.message | The sub-agent says that the notes are about plants.",
        USAGE,
      ],
    ],
    [
      "bad-request",
      ["span.usage | 0 in, 0 out", "session.error | api_error | API Error: 400 This request is not valid."],
    ],
    [
      "bad-key",
      [
        "span.warning | A request to the model failed (authentication_failed, 401): retry 1 of 2.",
        "span.warning | A request to the model failed (authentication_failed, 401): retry 2 of 2.",
        "span.usage | 0 in, 0 out",
        "session.error | api_error | Failed to authenticate. API Error: 401 This key is not valid.",
      ],
    ],
  ])("is read as it was: %s", (run, events) => {
    expect(recorded("claude-code", run)).toEqual(events);
  });
});

describe("a real run of Codex", () => {
  const shell = (command: string) => `agent.tool_use | shell | {"command":"/bin/bash -lc '${command}'"}`;
  const before = [`agent.thinking | **Looking at the notes**\n\n${THOUGHT}`, LOOK];
  const refused =
    "unexpected status 401 Unauthorized: This key is not valid., url: http://127.0.0.1:18990/v1/responses";
  const cut = "stream disconnected before completion: stream closed before response.completed";

  test.each([
    ["command", [...before, shell("cat notes.txt"), "agent.tool_result | water the plants\n", ANSWER, USAGE]],
    [
      "failing-command",
      [
        ...before,
        shell("cat missing.txt"),
        "agent.tool_result | failed | cat: missing.txt: No such file or directory\n",
        NO_FILE,
        USAGE,
      ],
    ],
    // It prints nothing of a command that its rules forbid, nor of one that its sandbox stopped.
    ["declined", [...before, NOT_ALLOWED, USAGE]],
    ["sandboxed", [...before, NOT_ALLOWED, USAGE]],
    [
      "edit",
      [
        ...before,
        'agent.tool_use | file_change | {"changes":[{"path":"/home/agent/session/notes.txt","kind":"update"}]}',
        "agent.tool_result | completed",
        CHANGED,
        USAGE,
      ],
    ],
    [
      "reconnecting",
      [
        `span.warning | Reconnecting... 1/3 (${cut})`,
        `span.warning | Reconnecting... 2/3 (${cut})`,
        ANSWER,
        "span.usage | 100 in, 20 out",
      ],
    ],
    ["bad-request", [expect.stringMatching(/^session\.error \| turn_failed \| .*This request is not valid\./)]],
    [
      "bad-key",
      [
        ...[1, 2, 3].map((attempt) => `span.warning | Reconnecting... ${attempt}/3 (${refused})`),
        `session.error | turn_failed | ${refused}`,
      ],
    ],
  ])("is read as it was: %s", (run, events) => {
    expect(recorded("codex", run)).toEqual(events);
  });
});

describe("a real run of the Gemini CLI", () => {
  const shell = (command: string) =>
    `agent.tool_use | run_shell_command | ${JSON.stringify({ command, description: "Look at the notes" })}`;

  test.each([
    ["command", [LOOK, shell("cat notes.txt"), "agent.tool_result | water the plants", ANSWER, USAGE]],
    // It does not mark a command that ended with another code than 0.
    [
      "failing-command",
      [
        LOOK,
        shell("cat missing.txt"),
        "agent.tool_result | cat: missing.txt: No such file or directory",
        NO_FILE,
        USAGE,
      ],
    ],
    [
      "missing-file",
      [
        LOOK,
        'agent.tool_use | read_file | {"file_path":"missing.txt"}',
        "agent.tool_result | failed | File not found.",
        NO_FILE,
        USAGE,
      ],
    ],
    [
      "declined",
      [
        LOOK,
        shell("touch changed.txt"),
        expect.stringMatching(/^agent\.tool_result \| failed \| Tool "run_shell_command" not found\./),
        NOT_ALLOWED,
        USAGE,
      ],
    ],
    [
      "edit",
      [
        LOOK,
        'agent.tool_use | write_file | {"file_path":"new.txt","content":"new\\n"}',
        "agent.tool_result",
        CHANGED,
        USAGE,
      ],
    ],
    [
      "bad-request",
      [
        "span.usage | 0 in, 0 out",
        expect.stringMatching(/^session\.error \| unknown \| .*This request is not valid\./),
      ],
    ],
    [
      "bad-key",
      ["span.usage | 0 in, 0 out", expect.stringMatching(/^session\.error \| unknown \| .*This key is not valid\./)],
    ],
  ])("is read as it was: %s", (run, events) => {
    expect(recorded("gemini", run)).toEqual(events);
  });
});

describe("a real run of Qwen Code", () => {
  const shell = (command: string) =>
    `agent.tool_use | run_shell_command | ${JSON.stringify({ command, description: "Look at the notes", is_background: false })}`;
  const before = [`agent.thinking | ${THOUGHT}`, LOOK];

  test.each([
    ["command", [...before, shell("cat notes.txt"), "agent.tool_result | water the plants", ANSWER, USAGE]],
    // It does not mark a command that ended with another code than 0.
    [
      "failing-command",
      [
        ...before,
        shell("cat missing.txt"),
        "agent.tool_result | cat: missing.txt: No such file or directory",
        NO_FILE,
        USAGE,
      ],
    ],
    [
      "declined",
      [
        ...before,
        shell("touch changed.txt"),
        expect.stringMatching(/^agent\.tool_result \| failed \| Qwen Code requires permission/),
        NOT_ALLOWED,
        USAGE,
      ],
    ],
    [
      "edit",
      [
        ...before,
        'agent.tool_use | write_file | {"file_path":"/home/agent/session/new.txt","content":"new\\n"}',
        expect.stringMatching(/^agent\.tool_result \| Successfully created/),
        CHANGED,
        USAGE,
      ],
    ],
    [
      "cut-off",
      [
        "agent.message | The notes ",
        "span.usage | 0 in, 0 out",
        "session.error | api_error | terminated (cause: other side closed)",
      ],
    ],
    ["bad-request", ["span.usage | 0 in, 0 out", "session.error | api_error | 400 This request is not valid."]],
    ["bad-key", ["span.usage | 0 in, 0 out", "session.error | api_error | 401 This key is not valid."]],
  ])("is read as it was: %s", (run, events) => {
    expect(recorded("qwen-code", run)).toEqual(events);
  });
});
