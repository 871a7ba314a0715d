import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { probeProtections } from "../../src/worker/index.ts";
import { ensureBuilt } from "../support/build.ts";
import {
  type CliProcess,
  folderForTest,
  runCli,
  startForTest,
  startTestServer,
  type TestServer,
} from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";

let server: TestServer;
beforeAll(async () => {
  await ensureBuilt();
  server = await startTestServer();
}, 150_000);
afterAll(() => server.stop());

const works = new Set((await probeProtections()).flatMap(({ name, inForce }) => (inForce ? [name] : [])));

interface Queue {
  readonly environment: string;
  readonly env: Record<string, string>;
}

/** An environment with a token for its worker. */
async function newQueue(): Promise<Queue> {
  const { client } = server;
  const { id } = await client.createEnvironment({ name: "q", config: { type: "self_hosted" } });
  const { token } = await client.createToken({ name: "w", role: "worker", environment_id: id });
  return { environment: id, env: { ...server.env, CAPSTAN_TOKEN: token, CAPSTAN_ENVIRONMENT_ID: id } };
}

/** A worker that runs a Node script, given as source text. */
function startWorker({ env }: Queue, script: string, words: string[] = []): CliProcess {
  const folder = folderForTest();
  const file = join(folder, "agent.mjs");
  writeFileSync(file, script);
  return startForTest(["worker", "--workspace-root", folder, ...words, "--", process.execPath, file, "--own", "flag"], {
    env,
  });
}

const ECHO = `
  import { readFileSync } from "node:fs";
  const { session, events } = JSON.parse(readFileSync(0, "utf8"));
  for (const event of events) console.log("echo " + event.content[0].text + " " + process.argv.slice(2).join("+"));
`;
/** Says that it has begun, and then does nothing until it is told to end. */
const PATIENT = `
  console.log("begun");
  setInterval(() => {}, 1000);
  process.on("SIGTERM", () => { console.log("told to end"); process.exit(0); });
`;

async function newSession({ environment }: Queue): Promise<string> {
  const message = { type: "user.message", content: [{ type: "text", text: "hello" }] };
  return (await server.client.createSession({ environment_id: environment, initial_events: [message] })).id;
}

const says = (session: string, text: string) =>
  eventually(async () => {
    const { data } = await server.client.listEvents({ session_id: session, limit: 100 });
    expect(JSON.stringify(data)).toContain(text);
  });

const queued = async ({ environment }: Queue) =>
  (await server.client.listWork({ environment_id: environment, state: "queued" })).data;

describe("a worker", () => {
  test("runs its command for each turn, and what that writes is what the user reads", async () => {
    const queue = await newQueue();
    const worker = startWorker(queue, ECHO);
    await worker.find(/serves env_\w+ at http/);
    const run = await runCli(["run", "good morning", "--environment", queue.environment], { env: server.env });
    expect(run).toMatchObject({ code: 0, stdout: "echo good morning --own+flag\n" });
    worker.child.kill("SIGTERM");
    expect((await worker.ended).code).toBe(0);
  });

  test("gives its command no secret", async () => {
    const { environment, env } = await newQueue();
    const queue = {
      environment,
      env: { ...env, CAPSTAN_METRICS_TOKEN: "secret", CAPSTAN_ADMIN_TOKEN: "x".repeat(32) },
    };
    startWorker(
      queue,
      `console.log(Object.keys(process.env).filter((name) => name.startsWith("CAPSTAN_")).sort().join());`,
    );
    const { stdout } = await runCli(["run", "x", "--environment", queue.environment], { env: server.env });
    expect(stdout).toContain("CAPSTAN_SESSION_ID");
    expect(stdout.match(/CAPSTAN_\w*TOKEN/g)).toEqual(["CAPSTAN_WORK_TOKEN"]);
  });

  test("tells what happens as JSON lines when asked to", async () => {
    const queue = await newQueue();
    const worker = startWorker(queue, ECHO, ["--json"]);
    const session = await newSession(queue);
    await worker.find(/session_finished/);
    worker.child.kill("SIGINT");
    const { code, stdout, stderr } = await worker.ended;
    expect(code).toBe(0);
    expect(stdout).toBe("");
    const lines = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.find(({ type }) => type === "session_finished")).toMatchObject({
      level: "info",
      session_id: session,
      work_id: expect.stringMatching(/^work_/),
      outcome: "completed",
      time: expect.stringMatching(/Z$/),
    });
  });

  test("drains on the first signal: the session may finish, and nothing new is taken", async () => {
    const queue = await newQueue();
    const worker = startWorker(
      queue,
      `import { existsSync } from "node:fs";
       console.log("begun");
       const timer = setInterval(() => { if (existsSync("../finish")) { clearInterval(timer); console.log("finished"); } }, 10);`,
    );
    const session = await newSession(queue);
    await says(session, "begun");
    worker.child.kill("SIGTERM");
    await worker.find(/The worker is draining/);
    const second = await newSession(queue);
    const folder = worker.child.spawnargs[worker.child.spawnargs.indexOf("--workspace-root") + 1] ?? "";
    writeFileSync(join(folder, "finish"), "");
    expect((await worker.ended).code).toBe(0);
    await says(session, "finished");
    await says(session, "end_turn");
    expect(await queued(queue)).toMatchObject([{ data: { id: second } }]);
  });

  test("gives a session back when the grace period is over", async () => {
    const queue = await newQueue();
    const worker = startWorker(queue, PATIENT, ["--grace-seconds", "0"]);
    const session = await newSession(queue);
    await says(session, "begun");
    worker.child.kill("SIGTERM");
    expect((await worker.ended).code).toBe(0);
    expect(worker.stderr()).toContain("released");
    expect(await queued(queue)).toHaveLength(1);
  });

  test("gives everything back at once on a second signal, and says so with its exit code", async () => {
    const queue = await newQueue();
    const worker = startWorker(queue, PATIENT, ["--grace-seconds", "600"]);
    const session = await newSession(queue);
    await says(session, "begun");
    worker.child.kill("SIGTERM");
    await worker.find(/The worker is draining/);
    worker.child.kill("SIGINT");
    expect((await worker.ended).code).toBe(130);
    expect(await queued(queue)).toHaveLength(1);
  });

  test("runs the environment's setup script first, unless it is told to skip it", async () => {
    const script = join(folderForTest(), "setup.sh");
    writeFileSync(script, "echo prepared > prepared.txt\n");
    const created = await runCli(["env", "create", "s", "--setup-script", script, "--json"], { env: server.env });
    const { id: environment } = JSON.parse(created.stdout);
    const queue = { environment, env: { ...server.env, CAPSTAN_ENVIRONMENT_ID: environment } };
    const agent = `import { existsSync } from "node:fs"; console.log("prepared: " + existsSync("../prepared.txt"));`;
    for (const [words, prepared] of [
      [["--skip-setup-script"], false],
      [[], true],
    ] as const) {
      const worker = startWorker(queue, agent, [...words]);
      const run = await runCli(["run", "x", "--environment", environment], { env: server.env });
      expect(run.stdout).toBe(`prepared: ${prepared}\n`);
      worker.child.kill("SIGTERM");
      await worker.ended;
    }
  });

  test("ends with a hint when the server refuses it for good", async () => {
    const queue = await newQueue();
    const unknown = await runCli(["worker", "--environment", "env_01981f3a9c2e7b1c8d4e5f60718293a4", "--", "true"], {
      env: { ...queue.env, CAPSTAN_WORKSPACE_ROOT: folderForTest() },
    });
    expect(unknown.code).toBe(5);
    expect(unknown.stderr).toContain(
      "hint: Use a worker token of the environment that is meant, or one with the role admin;",
    );
  });

  test("needs an environment, a command and a folder that it may write to", async () => {
    const env = server.env;
    expect(await runCli(["worker", "--", "true"], { env })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--environment (CAPSTAN_ENVIRONMENT_ID) is missing"),
    });
    expect(await runCli(["worker"], { env })).toMatchObject({ code: 2 });
    const file = join(folderForTest(), "file");
    writeFileSync(file, "");
    const words = ["worker", "--environment", "env_01981f3a9c2e7b1c8d4e5f60718293a4", "--workspace-root", file];
    expect(await runCli([...words, "--", "true"], { env })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("cannot be made (EEXIST)"),
    });
  });
});

describe("what a worker's command may do", () => {
  const worker = (queue: Queue, words: string[], options: { cwd?: string } = {}) =>
    startForTest(["worker", "--workspace-root", folderForTest(), ...words], { env: queue.env, ...options });
  const run = async (queue: Queue, text = "x") =>
    runCli(["run", text, "--environment", queue.environment], { env: server.env });

  test("a program that is named by its path is looked for where the worker was started", async () => {
    const queue = await newQueue();
    const cwd = folderForTest();
    writeFileSync(join(cwd, "agent.sh"), "#!/bin/sh\necho found\n", { mode: 0o755 });
    worker(queue, ["--", "./agent.sh"], { cwd });
    expect(await run(queue)).toMatchObject({ code: 0, stdout: "found\n" });
  });

  test("a program that is not there is told before the first session comes, and may come later", async () => {
    const queue = await newQueue();
    const cwd = folderForTest();
    const started = worker(queue, ["--", "./agent.sh"], { cwd });
    await started.find(/There is no program \/\S+\/agent\.sh yet/);
    writeFileSync(join(cwd, "agent.sh"), "#!/bin/sh\necho come\n", { mode: 0o755 });
    expect(await run(queue)).toMatchObject({ code: 0, stdout: "come\n" });
    const named = worker(queue, ["--", "no-such-program"]);
    await named.find(/There is no program no-such-program in PATH yet/);
    expect(worker(queue, ["--", "true"]).stderr()).not.toContain("There is no program");
  });

  test("a folder, and a file that may not be executed, are told as what they are", async () => {
    const queue = await newQueue();
    const cwd = folderForTest();
    writeFileSync(join(cwd, "agent.sh"), "#!/bin/sh\n", { mode: 0o644 });
    await worker(queue, ["--", "./agent.sh"], { cwd }).find(/\/agent\.sh is not executable yet: as long as/);
    await worker(queue, ["--", cwd]).find(/\/capstan-test-\S+ is a folder and no program: as long as/);
  });

  test("a turn that takes too long ends with an error that says so", async () => {
    const queue = await newQueue();
    worker(queue, ["--max-turn-seconds", "1", "--", "sleep", "600"]);
    const ended = await run(queue);
    expect(ended.code).toBe(10);
    expect(ended.stderr).toContain("error: The turn took longer than 1 s.");
  });

  test("flags of the sandbox are refused without it, and so is a program that it would not show", async () => {
    const queue = await newQueue();
    for (const words of [["--sandbox-network"], ["--sandbox-read", "/srv"]]) {
      const { env } = queue;
      const refused = await runCli(["worker", ...words, "--", "true"], { env });
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("only mean something with --sandbox") });
    }
    const nothing = await runCli(
      ["worker", "--sandbox", "bwrap", "--sandbox-read", "/srv/nothing", "--", "true"],
      queue,
    );
    expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining("/srv/nothing: there is no such file") });
    const hidden = await runCli(["worker", "--sandbox", "bwrap", "--", "/srv/agent/run"], { env: queue.env });
    expect(hidden).toMatchObject({ code: 2, stderr: expect.stringContaining("Show it: --sandbox-read /srv/agent") });
  });

  test.skipIf(!works.has("sandbox") || !works.has("memory"))(
    "sandbox and limits hold for the command (skipped where bwrap or prlimit does not run)",
    async () => {
      const queue = await newQueue();
      const shown = folderForTest();
      writeFileSync(join(shown, "agent.sh"), "ulimit -t; ls /etc/shadow /home; cat $1/shown; id -u >/dev/null");
      writeFileSync(join(shown, "shown"), "shown\n");
      const words = ["--sandbox", "bwrap", "--sandbox-read", shown, "--cpu-seconds", "77", "--memory-mb", "512"];
      worker(queue, [...words, "--", "sh", join(shown, "agent.sh"), shown]);
      expect((await run(queue)).stdout).toBe("77\nshown\n");
    },
  );
});

describe("capstan run", () => {
  test("ends with the code of an error when the command fails, and shows why", async () => {
    const queue = await newQueue();
    const worker = startWorker(queue, `console.log("so far"); console.error("no\\nsuch key"); process.exit(3);`);
    const run = await runCli(["run", "x", "--environment", queue.environment], { env: server.env });
    expect(run).toMatchObject({ code: 10, stdout: "so far\n" });
    expect(run.stderr).toContain("error: The command exited with code 3.\nno\nsuch key\n");
    await worker.find(/failed after \d+\.\d s\. The command exited with code 3\. It wrote: such key /);
  });

  test("passes every event on as JSON, one per line", async () => {
    const queue = await newQueue();
    startWorker(queue, `console.log(JSON.stringify({ type: "agent.thinking", depth: 3 }));`, ["--output", "jsonl"]);
    const run = await runCli(["run", "-", "--json", "--environment", queue.environment], {
      env: server.env,
      input: "from a pipe",
    });
    const events = run.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ type }) => type)).toEqual([
      "user.message",
      "session.status_running",
      "agent.thinking",
      "session.status_idle",
    ]);
    expect(events[2]).toMatchObject({ depth: 3 });
    expect(run.code).toBe(0);
  });

  test("cancels the session on Ctrl-C and ends when its worker has stopped", async () => {
    const queue = await newQueue();
    // The shortest lease, so that the worker soon hears of the cancellation.
    startWorker(queue, PATIENT, ["--ttl-seconds", "10"]);
    const run = startForTest(["run", "x", "--environment", queue.environment], { env: server.env });
    await run.find(/begun/);
    run.child.kill("SIGINT");
    const { code, stdout, stderr } = await run.ended;
    expect(code).toBe(11);
    expect(stdout).toContain("told to end");
    expect(stderr).toContain("The session was cancelled.");
  });

  test.each([
    ["SIGTERM", 143, "Asking the worker to stop.\n"],
    ["SIGINT", 130, "Asking the worker to stop; Ctrl-C again leaves the session to itself.\n"],
  ] as const)("ends on %s also when the server is away and cannot cancel the session", async (signal, exit, note) => {
    const gone = await startTestServer();
    const { id } = await gone.client.createEnvironment({ name: "q", config: { type: "self_hosted" } });
    const run = startForTest(["run", "x", "--environment", id], { env: gone.env });
    await run.find(/Session sess_\w+; Ctrl-C cancels it/);
    await gone.stop();
    run.child.kill(signal);
    const { code, stderr } = await run.ended;
    expect(code).toBe(exit);
    expect(stderr).toContain(note);
    expect(stderr).toContain("The session could not be cancelled, and is left to itself: Cannot reach the server");
  });

  test("says so when no worker asks for work", async () => {
    const queue = await newQueue();
    const run = startForTest(["run", "x", "--environment", queue.environment], { env: server.env });
    await run.find(/No worker asks for work in env_/);
    run.child.kill("SIGINT");
    expect((await run.ended).code).toBe(11);
  });
});
