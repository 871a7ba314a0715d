import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ROOT } from "../support/build.ts";
import { folderForTest, runCli, serverOfThisFile, startForTest } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";

const server = await serverOfThisFile();

const MAIN = join(ROOT, "dist", "cli", "main.js");
const CAPSTAN = `"${process.execPath}" "${MAIN}"`;

/** Says that it has begun, and repeats what it was told when it finds a file. */
const AGENT = `
  import { existsSync, readFileSync } from "node:fs";
  const { events } = JSON.parse(readFileSync(0, "utf8"));
  console.log("begun " + process.pid);
  while (!existsSync(process.argv[2])) await new Promise((resolve) => setTimeout(resolve, 20));
  console.log("echo " + events[0].content[0].text);
`;

/** An environment, a session in it, and a folder with an agent and a start script. */
async function scene(start: string) {
  const { client } = server;
  const { id: environment } = await client.createEnvironment({ name: "q", config: { type: "self_hosted" } });
  const { token } = await client.createToken({ name: "w", role: "worker", environment_id: environment });
  const folder = folderForTest();
  const go = join(folder, "go");
  writeFileSync(join(folder, "agent.mjs"), AGENT);
  const agent = `"${process.execPath}" "${join(folder, "agent.mjs")}" "${go}"`;
  writeFileSync(join(folder, "start.sh"), start.replaceAll("ATTACH", `${CAPSTAN} worker attach -- ${agent}`));
  const message = { type: "user.message", content: [{ type: "text", text: "hello" }] };
  const session = await client.createSession({ environment_id: environment, initial_events: [message] });
  // Variables reach what the worker starts: there, too, the lease is a short one.
  const env = { ...server.env, CAPSTAN_TOKEN: token, CAPSTAN_ENVIRONMENT_ID: environment, CAPSTAN_TTL_SECONDS: "10" };
  const words = ["worker", "--workspace-root", join(folder, "workspaces"), "--hand-off"];
  const worker = startForTest([...words, "--", "sh", join(folder, "start.sh")], { env });
  const events = async () => (await client.listEvents({ session_id: session.id, limit: 100 })).data;
  const said = async () => JSON.stringify(await events());
  const item = async () => (await client.listWork({ environment_id: environment })).data[0];
  return { worker, env, folder, events, said, item, goOn: () => writeFileSync(go, "") };
}

test("a process that was started outlives its worker, beats in its place and ends the item", async () => {
  const { worker, folder, said, item, goOn } = await scene("setsid ATTACH > attached.log 2>&1 & echo $! > ../pid");
  await worker.find(/handed off/);
  onTestFinished(() => {
    try {
      process.kill(Number(readFileSync(join(folder, "workspaces", "pid"), "utf8")), "SIGKILL");
    } catch {
      // It has ended, as it should.
    }
  });
  worker.child.kill("SIGKILL");
  await eventually(async () => expect(await said()).toContain("begun"));
  const beat = (await item())?.latest_heartbeat_at;
  await eventually(async () => expect((await item())?.latest_heartbeat_at).not.toBe(beat));
  expect(await item()).toMatchObject({ state: "active" });
  goOn();
  await eventually(async () => expect(await said()).toContain("end_turn"));
  expect(await said()).toContain("echo hello");
  expect(await said()).not.toContain("rescheduled");
  expect(await item()).toMatchObject({ state: "stopped" });
}, 60_000);

test("what never beats loses the session to another worker, and the worker that handed it off ends nothing", async () => {
  const { worker, env, folder, events, item, said } = await scene("exit 0");
  await worker.find(/handed off/);
  worker.child.kill("SIGTERM");
  expect((await worker.ended).code).toBe(0);
  expect(await item()).toMatchObject({ state: "active" });
  startForTest(["worker", "--workspace-root", join(folder, "other"), "--", "echo", "taken over"], { env });
  await eventually(async () => expect(await said()).toContain("end_turn"), 40_000);
  expect((await events()).map(({ type }) => type)).toEqual([
    "user.message",
    "session.status_running",
    "session.status_rescheduled",
    "session.status_running",
    "agent.message",
    "session.status_idle",
  ]);
}, 90_000);

test("a session may be run in the foreground of the start script, too", async () => {
  const { worker, said, goOn } = await scene("ATTACH");
  await eventually(async () => expect(await said()).toContain("begun"));
  goOn();
  await eventually(async () => expect(await said()).toContain("end_turn"));
  await worker.find(/handed off/);
  expect(await said()).toContain("echo hello");
  expect(await said()).not.toContain("session.error");
});

test("attach says what is missing, and what is over", async () => {
  const nothing = await runCli(["worker", "attach", "--", "true"], { env: server.env });
  expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining("CAPSTAN_WORK_TOKEN, CAPSTAN_WORK_ID") });
  const digits = "01981f3a9c2e7b1c8d4e5f60718293a4";
  const env = { CAPSTAN_URL: server.url, CAPSTAN_WORK_TOKEN: `cwt_${digits}_1_${"A".repeat(43)}` };
  const ids = ["--work-id", `work_${digits}`, "--environment", `env_${digits}`];
  const over = await runCli(["worker", "attach", ...ids, "--workspace-root", folderForTest(), "--", "true"], { env });
  expect(over).toMatchObject({ code: 4, stderr: expect.stringContaining("There is nothing left to do here") });
});

test("flags of the turn are refused where the turn is not run", async () => {
  const env = { ...server.env, CAPSTAN_ENVIRONMENT_ID: "env_01981f3a9c2e7b1c8d4e5f60718293a4" };
  const words = ["worker", "--hand-off", "--output", "jsonl", "--sandbox-read", "/srv", "--", "true"];
  const refused = await runCli(words, { env });
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("--output, --sandbox-read cannot be used with --hand-off");
});
