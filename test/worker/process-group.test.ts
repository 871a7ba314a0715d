import { execFile } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Setting } from "../../src/config/setting.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { type HandlerContext, type NewSessionEvent, textOf } from "../../src/worker/index.ts";
import { textEvent } from "../../src/worker/output-events.ts";
import { commandEnvironment, startGroup } from "../../src/worker/process-group.ts";
import { runTurnCommand } from "../../src/worker/turn-command.ts";
import { eventually } from "../support/eventually.ts";
import { processIsGone, sh } from "./support/command.ts";
import { temporaryFolder } from "./support/queue.ts";

const env = { PATH: process.env.PATH };

/** The groups that were signalled since the test began, and how. */
function signalled() {
  const kill = vi.spyOn(process, "kill");
  onTestFinished(() => kill.mockRestore());
  return () => kill.mock.calls.filter(([pid]) => pid < 0);
}

test("a group of which nobody is left is not signalled again: its number may be somebody else's", async () => {
  const signals = signalled();
  const group = startGroup(sh("exit 0"), { cwd: "/", env });
  await group.exited;
  group.kill("SIGTERM");
  expect(signals()).toHaveLength(1);
  group.kill("SIGTERM");
  group.kill("SIGKILL");
  expect(signals()).toHaveLength(1);
});

test("a group whose command has ended is killed once and for all", async () => {
  const signals = signalled();
  const group = startGroup(sh("sleep 600 & echo $!"), { cwd: "/", env });
  const [child] = (await once(group.stdout, "data")) as [Buffer];
  await group.exited;
  for (const signal of ["SIGKILL", "SIGKILL", "SIGTERM"] as const) group.kill(signal);
  expect(signals()).toEqual([[expect.any(Number), "SIGKILL"]]);
  await eventually(() => processIsGone(Number(child)));
});

/** What a handler is given, as far as a command needs it. */
const turnThat = async (own: object) =>
  ({ work: { data: {} }, client: {}, workspace: await temporaryFolder(), ...own }) as unknown as HandlerContext;

test("a turn kills what its command left behind without waiting for the server, and touches that group no more", async () => {
  const signals = signalled();
  const signal = new AbortController();
  const forced = new AbortController();
  const sent: NewSessionEvent[] = [];
  let answer = () => {};
  const turn = await turnThat({
    ...{ signal: signal.signal, forced: forced.signal },
    send: (events: readonly NewSessionEvent[]) => {
      sent.push(...events);
      return new Promise<void>((resolve) => (answer = resolve));
    },
  });
  const conversation = { stdin: "", events: (line: string) => [textEvent(line)] };
  const running = runTurnCommand(turn, { command: sh("sleep 600 >/dev/null 2>&1 & echo $!"), env }, conversation);
  const child = await eventually(() => {
    if (sent[0] === undefined) throw new Error("nothing sent yet");
    return Number(textOf(sent[0]));
  });
  await eventually(() => processIsGone(child));
  const before = signals();
  signal.abort();
  forced.abort();
  answer();
  expect(await running).toMatchObject({ code: 0 });
  expect(signals()).toEqual(before);
});

test("a command that is started when its turn has been told to end already is told, too", async () => {
  const [aborted, { signal: later }] = [AbortSignal.abort(), new AbortController()];
  const send = async () => {};
  const command = { command: ["sleep", "600"], env };
  const conversation = { stdin: "", events: () => [] };
  const asked = await turnThat({ signal: aborted, forced: later, send });
  expect(await runTurnCommand(asked, command, conversation)).toMatchObject({ signal: "SIGTERM" });
  const forced = await turnThat({ signal: later, forced: aborted, send });
  expect(await runTurnCommand(forced, command, conversation)).toMatchObject({ signal: "SIGKILL" });
});

test("where nothing more can be opened, a command is told not to have been started", async () => {
  const program = fileURLToPath(new URL("./support/full-process.ts", import.meta.url));
  const typescript = new URL("../support/typescript.mjs", import.meta.url).href;
  const line = 'ulimit -n 100; exec "$0" --import "$1" "$2"';
  const { stdout } = await promisify(execFile)("sh", ["-c", line, process.execPath, typescript, program]);
  expect(stdout).toContain("EMFILE: too many open files");
  expect(stdout).toMatch(/^CommandNotStarted: The command true cannot be started \(spawn true EMFILE\): .*ulimit -n/m);
  expect(stdout).toMatch(/^\{"content":.*The command bash cannot be started .*"is_error":true\}$/m);
});

test("no secret of any setting is handed to a command", () => {
  const secrets = Object.values<Setting>(SETTINGS).filter(({ secret }) => secret === true);
  expect(secrets.length).toBeGreaterThan(0);
  for (const { variable } of secrets)
    expect(commandEnvironment({ [variable]: "x", KEPT: "kept" })).toEqual({ KEPT: "kept" });
});
