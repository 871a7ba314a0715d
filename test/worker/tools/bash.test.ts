import { randomInt } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { TurnAborted } from "../../../src/worker/index.ts";
import { probeProtections } from "../../../src/worker/sandbox/protections.ts";
import { eventually } from "../../support/eventually.ts";
import { processIsGone, STRAY_WRITER } from "../support/command.ts";
import { temporaryFolder } from "../support/queue.ts";
import { toolsForTest } from "./support.ts";

const sandboxWorks = (await probeProtections()).some(({ name, inForce }) => name === "sandbox" && inForce);

test("a command runs in the workspace and returns all that it writes", async () => {
  const { use, workspace } = await toolsForTest();
  expect(await use("bash", { command: "pwd; echo to stderr >&2" })).toBe(`${workspace}\nto stderr\n`);
  expect(await use("bash", { command: "echo so far; exit 3" })).toBe("error: so far\n\n[exit code 3]");
  expect(await use("bash", { command: "kill -9 $$" })).toBe("error: \n[ended by SIGKILL]");
  expect(await use("bash", { command: 'read line; echo "read: $line"' })).toBe("read: \n");
});

test("a command inherits nothing of this process's variables", async () => {
  process.env.TEST_SECRET = "secret";
  const { use, workspace } = await toolsForTest();
  const variables = (await use("bash", { command: "env" })).trimEnd().split("\n");
  delete process.env.TEST_SECRET;
  expect(variables.map((line) => line.split("=")[0]).sort()).toEqual(["HOME", "PATH", "PWD", "SHLVL", "_"]);
  expect(variables).toContain(`HOME=${workspace}`);
  const given = await toolsForTest({ env: { PATH: "/usr/bin:/bin", MINE: "1" } });
  expect(await given.use("bash", { command: "echo $MINE" })).toBe("1\n");
});

test("of a large output the beginning and the end are kept", async () => {
  const { use } = await toolsForTest();
  const said = await use("bash", { command: "echo first; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last" });
  expect(said.length).toBeLessThan(66_000);
  expect(said.startsWith("first\n")).toBe(true);
  expect(said.endsWith("\nlast\n")).toBe(true);
  expect(said).toMatch(/\[… 4993\d{4} bytes left out …\]/);
});

test("a command that takes too long is killed with all that it started", async () => {
  const { use, workspace } = await toolsForTest();
  const said = await use("bash", { command: "sleep 600 & echo $! > pid; echo begun; wait", timeout_seconds: 0.5 });
  expect(said).toBe("error: begun\n\n[killed after 0.5 s]");
  await eventually(() => processIsGone(Number(readFileSync(join(workspace, "pid"), "utf8"))));
});

test("what a command leaves in the background is killed with its end, and does not delay the answer", async () => {
  const { use, workspace } = await toolsForTest();
  expect(await use("bash", { command: "sleep 600 & echo $! > pid; echo done" })).toBe("done\n");
  await eventually(() => processIsGone(Number(readFileSync(join(workspace, "pid"), "utf8"))));
  const seconds = randomInt(1e6, 1e9);
  expect(
    await use("bash", {
      command: `setsid sleep ${seconds} & sleep 0.1; pgrep -f "sleep ${seconds}$" > pid; echo done`,
    }),
  ).toBe("done\n");
  process.kill(Number(readFileSync(join(workspace, "pid"), "utf8").split("\n")[0]), "SIGKILL");
});

test("a command line that is too long for the system is an error of the tool", async () => {
  const { use } = await toolsForTest();
  const said = await use("bash", { command: `true ${"x".repeat(3_000_000)}` });
  expect(said).toContain("error: The command bash cannot be started (spawn E2BIG)");
});

test("somebody who left the command's group and goes on writing holds neither an answer, nor a time limit, nor an abort", async () => {
  const abort = new AbortController();
  const { use, tools, workspace } = await toolsForTest({ signal: abort.signal });
  expect(await use("bash", { command: STRAY_WRITER })).toMatch(/^(x\n)+$/);
  const held = `rm stray; ${STRAY_WRITER}; sleep 600`;
  expect(await use("bash", { command: held, timeout_seconds: 1 })).toMatch(/^error: (x\n)+\n\[killed after 1 s]$/);
  rmSync(join(workspace, "stray"));
  const running = tools.run("bash", { command: `${STRAY_WRITER}; sleep 600` });
  await eventually(() => expect(readFileSync(join(workspace, "stray"), "utf8")).toMatch(/\d\n/));
  abort.abort(new TurnAborted("stop_requested", "Somebody asked."));
  await expect(running).rejects.toMatchObject({ reason: "stop_requested" });
}, 15_000);

test("an aborted signal kills the process group and is what the caller gets", async () => {
  const abort = new AbortController();
  const { tools, workspace } = await toolsForTest({ signal: abort.signal });
  const running = tools.run("bash", { command: "trap '' TERM; sleep 600 & echo $! > pid; wait; wait" });
  const pid = await eventually(() => {
    const text = readFileSync(join(workspace, "pid"), "utf8").trim();
    if (text === "") throw new Error("not yet");
    return Number(text);
  });
  abort.abort(new TurnAborted("stop_requested", "Somebody asked."));
  await expect(running).rejects.toMatchObject({ reason: "stop_requested" });
  await eventually(() => processIsGone(pid));
  await expect(tools.run("bash", { command: "true" })).rejects.toMatchObject({ reason: "stop_requested" });
});

test("input that is not valid, and a tool that is not there, are results that say so", async () => {
  const { use, tools } = await toolsForTest();
  expect(await use("bash", { command: 1 })).toMatch(/^error: The input of bash is not valid. command: /);
  expect(await use("bash", { command: "true", timeout_seconds: 6_000 })).toContain("timeout_seconds");
  expect(await use("read", undefined)).toContain("The input of read is not valid. path: ");
  expect(await use("rm", {})).toBe("error: There is no tool rm: use bash, read, write, edit, glob, grep.");
  expect(tools.definitions.map(({ name }) => name)).toEqual(["bash", "read", "write", "edit", "glob", "grep"]);
  expect(tools.definitions[0]?.input_schema).toMatchObject({ type: "object", required: ["command"] });
});

describe.skipIf(!sandboxWorks)("in the sandbox (skipped where bwrap does not run)", () => {
  test("bash and grep see the workspace and nothing beside it", async () => {
    const { use, workspace } = await toolsForTest({ confinement: { sandbox: "bwrap" } });
    const outside = await temporaryFolder();
    await writeFile(join(outside, "secret"), "not for you");
    await writeFile(join(workspace, "mine"), "mine\n");
    expect(await use("bash", { command: `cat mine; cat ${outside}/secret 2>/dev/null` })).toBe(
      "error: mine\n\n[exit code 1]",
    );
    expect(await use("grep", { pattern: "mine" })).toBe("mine:1:mine\n");
  });
});
