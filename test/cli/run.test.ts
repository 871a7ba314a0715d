import { describe, expect, test } from "vitest";
import { runCli, serverOfThisFile, startForTest, startTestServer } from "../support/cli.ts";
import { newQueue, PATIENT, startWorker } from "../support/cli-worker.ts";

const server = await serverOfThisFile();

describe("capstan run", () => {
  test("ends with the code of an error when the command fails, and shows why", async () => {
    const queue = await newQueue(server);
    const worker = startWorker(queue, `console.log("so far"); console.error("no\\nsuch key"); process.exit(3);`);
    const run = await runCli(["run", "x", "--environment", queue.environment], { env: server.env });
    expect(run).toMatchObject({ code: 10, stdout: "so far\n" });
    expect(run.stderr).toContain("error: The command exited with code 3.\nno\nsuch key\n");
    await worker.find(/failed after \d+\.\d s\. The command exited with code 3\. It wrote: such key /);
  });

  test("passes every event on as JSON, one per line", async () => {
    const queue = await newQueue(server);
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
    const queue = await newQueue(server);
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
    const queue = await newQueue(server);
    const run = startForTest(["run", "x", "--environment", queue.environment], { env: server.env });
    await run.find(/No worker asks for work in env_/);
    run.child.kill("SIGINT");
    expect((await run.ended).code).toBe(11);
  });
});
