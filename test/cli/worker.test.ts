import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { probeProtections } from "../../src/worker/index.ts";
import { folderForTest, runCli, serverOfThisFile, startForTest } from "../support/cli.ts";
import { newQueue, PATIENT, type Queue, startWorker } from "../support/cli-worker.ts";
import { eventually } from "../support/eventually.ts";

const server = await serverOfThisFile();

const works = new Set((await probeProtections()).flatMap(({ name, inForce }) => (inForce ? [name] : [])));

const ECHO = `
  import { readFileSync } from "node:fs";
  const { session, events } = JSON.parse(readFileSync(0, "utf8"));
  for (const event of events) console.log("echo " + event.content[0].text + " " + process.argv.slice(2).join("+"));
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
    const queue = await newQueue(server);
    const worker = startWorker(queue, ECHO);
    await worker.find(/serves env_\w+ at http/);
    const run = await runCli(["run", "good morning", "--environment", queue.environment], { env: server.env });
    expect(run).toMatchObject({ code: 0, stdout: "echo good morning --own+flag\n" });
    worker.child.kill("SIGTERM");
    expect((await worker.ended).code).toBe(0);
  });

  test("gives its command no secret", async () => {
    const { environment, env } = await newQueue(server);
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
    const queue = await newQueue(server);
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
    const queue = await newQueue(server);
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
    const queue = await newQueue(server);
    const worker = startWorker(queue, PATIENT, ["--grace-seconds", "0"]);
    const session = await newSession(queue);
    await says(session, "begun");
    worker.child.kill("SIGTERM");
    expect((await worker.ended).code).toBe(0);
    expect(worker.stderr()).toContain("released");
    expect(await queued(queue)).toHaveLength(1);
  });

  test("gives everything back at once on a second signal, and says so with its exit code", async () => {
    const queue = await newQueue(server);
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
    const queue = await newQueue(server);
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
    const queue = await newQueue(server);
    const cwd = folderForTest();
    writeFileSync(join(cwd, "agent.sh"), "#!/bin/sh\necho found\n", { mode: 0o755 });
    worker(queue, ["--", "./agent.sh"], { cwd });
    expect(await run(queue)).toMatchObject({ code: 0, stdout: "found\n" });
  });

  test("a program that is not there is told before the first session comes, and may come later", async () => {
    const queue = await newQueue(server);
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
    const queue = await newQueue(server);
    const cwd = folderForTest();
    writeFileSync(join(cwd, "agent.sh"), "#!/bin/sh\n", { mode: 0o644 });
    await worker(queue, ["--", "./agent.sh"], { cwd }).find(/\/agent\.sh is not executable yet: as long as/);
    await worker(queue, ["--", cwd]).find(/\/capstan-test-\S+ is a folder and no program: as long as/);
  });

  test("a turn that takes too long ends with an error that says so", async () => {
    const queue = await newQueue(server);
    worker(queue, ["--max-turn-seconds", "1", "--", "sleep", "600"]);
    const ended = await run(queue);
    expect(ended.code).toBe(10);
    expect(ended.stderr).toContain("error: The turn took longer than 1 s.");
  });

  test("flags of the sandbox are refused without it, and so is a program that it would not show", async () => {
    const queue = await newQueue(server);
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
      const queue = await newQueue(server);
      const shown = folderForTest();
      writeFileSync(join(shown, "agent.sh"), "ulimit -t; ls /etc/shadow /home; cat $1/shown; id -u >/dev/null");
      writeFileSync(join(shown, "shown"), "shown\n");
      const words = ["--sandbox", "bwrap", "--sandbox-read", shown, "--cpu-seconds", "77", "--memory-mb", "512"];
      worker(queue, [...words, "--", "sh", join(shown, "agent.sh"), shown]);
      expect((await run(queue)).stdout).toBe("77\nshown\n");
    },
  );
});
