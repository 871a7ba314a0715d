import { beforeAll, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands/index.ts";
import { EXIT_CODES, exitOfStatus } from "../../src/cli/exit-codes.ts";
import { cliReference } from "../../src/cli/reference.ts";
import { TOPICS } from "../../src/cli/topics.ts";
import { FAULTS } from "../../src/core/faults.ts";
import { ensureBuilt } from "../support/build.ts";
import { runCli } from "../support/cli.ts";

beforeAll(ensureBuilt, 150_000);

test("every command has a summary, an example that begins with it, and its exit codes", () => {
  for (const { path, summary, examples } of COMMANDS) {
    expect(summary, path).toMatch(/^[A-Z]/);
    expect(examples.length, path).toBeGreaterThan(0);
    expect(
      examples.every(({ command }) => command.startsWith(`capstan ${path}`)),
      path,
    ).toBe(true);
  }
  const paths = COMMANDS.map(({ path }) => path);
  const topics = paths.flatMap((path) => (path.includes(" ") ? [path.split(" ")[0] as string] : []));
  // A command that has others below it says itself what it is about.
  const commands = topics.filter((topic) => paths.includes(topic));
  expect(commands).toEqual(["worker"]);
  expect([...new Set(topics.filter((topic) => !commands.includes(topic)))].sort()).toEqual(Object.keys(TOPICS).sort());
});

test("exit codes are distinct, and every fault of the API has one", () => {
  const codes = Object.values(EXIT_CODES).map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  for (const [kind, { status }] of Object.entries(FAULTS)) {
    if (kind !== "internal") expect(exitOfStatus(status), kind).not.toBe("failed");
  }
});

test("the reference shows every command with its options", () => {
  const page = cliReference();
  for (const { path, options, examples } of COMMANDS) {
    expect(page).toContain(`## capstan ${path}\n`);
    for (const { flags } of Object.values(options ?? {})) expect(page).toContain(`\`${flags}\``);
    for (const { command } of examples) expect(page).toContain(command);
  }
  expect(page).not.toContain("undefined");
});

test("help shows options with variables and defaults, variables without a flag, exit codes and examples", async () => {
  const { code, stdout } = await runCli(["serve", "--help"]);
  expect(code).toBe(0);
  const text = stdout.replaceAll(/\s+/g, " ");
  expect(text).toContain("--port <port>");
  expect(text).toContain("[CAPSTAN_PORT, default 8787]");
  expect(text).toContain("Variables without a flag: CAPSTAN_ADMIN_TOKEN");
  expect(text).toContain("Exit codes: 0 All that was asked for is done.");
  expect(text).toContain("Examples: # On this machine");
});

test("help of a command is reached from the front, too", async () => {
  const [behind, before] = await Promise.all([
    runCli(["session", "create", "--help"]),
    runCli(["help", "session", "create"]),
  ]);
  expect(before).toMatchObject({ code: 0, stdout: behind.stdout });
  expect(await runCli(["help", "nothing"])).toMatchObject({ code: 2 });
});

test("without a command, help goes to standard error and the exit code is that of wrong usage", async () => {
  for (const words of [[], ["session"]]) {
    expect(await runCli(words)).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("Usage: capstan"),
    });
  }
});

test("the version is that of the package", async () => {
  const { stdout } = await runCli(["--version"]);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
