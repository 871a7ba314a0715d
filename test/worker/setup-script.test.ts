import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { eventually } from "../support/eventually.ts";
import { faultyProxy } from "../support/proxy.ts";
import { STRAY_WRITER } from "./support/command.ts";
import { runningWorker, temporaryFolder, testQueue } from "./support/queue.ts";

const env = { PATH: process.env.PATH, CAPSTAN_TOKEN: "secret" };

test("the setup script runs once, before the first session, in the workspace root and without the worker's secrets", async () => {
  const script = 'echo "$PWD $(env | grep -c secret)" >> setup\n';
  const queue = await testQueue({ config: { setup_script: script } });
  const workspaceRoot = await temporaryFolder();
  const seen: string[] = [];
  await runningWorker(queue, {
    workspaceRoot,
    setup: { env },
    handler: async () => void seen.push(await readFile(join(workspaceRoot, "setup"), "utf8")),
  });
  for (const text of ["one", "two"]) await queue.untilIdle((await queue.newSession(text)).id);
  expect(seen).toEqual(Array(2).fill(`${workspaceRoot} 0\n`));
});

test("a setup script that fails is told with its output, no work is taken, and a corrected one is picked up", async () => {
  const queue = await testQueue({
    config: { setup_script: "echo installing\necho no compiler >&2\nfalse\necho unreached" },
  });
  const session = await queue.newSession("hello");
  const worker = await runningWorker(queue, { setup: { env }, handler: () => {} });
  const failed = await eventually(() => {
    const event = worker.events.find(({ type }) => type === "setup_failed");
    if (event === undefined) throw new Error("not failed yet");
    return event;
  });
  expect(failed.level).toBe("error");
  expect(failed.message).toContain("The setup script exited with code 1: no compiler");
  expect((await queue.client.workStats({ environment_id: queue.environmentId })).workers_polling).toBe(0);
  await queue.client.updateEnvironment({
    environment_id: queue.environmentId,
    config: { type: "self_hosted", setup_script: "true" },
  });
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
});

test("a setup script that takes too long is killed and has failed", async () => {
  const queue = await testQueue({ config: { setup_script: "sleep 600" } });
  const worker = await runningWorker(queue, { setup: { env, timeoutSeconds: 0.2 }, handler: () => {} });
  await eventually(() =>
    expect(worker.events.map((event) => event.message).join()).toContain("The setup script took longer than 0.2 s"),
  );
});

test("a setup script that cannot be written is tried again, and runs once there is room for it", async () => {
  const queue = await testQueue({ config: { setup_script: "true" } });
  const session = await queue.newSession("hello");
  const folder = join(await temporaryFolder(), "missing");
  const workspaceRoot = await temporaryFolder();
  vi.stubEnv("TMPDIR", folder);
  onTestFinished(() => void vi.unstubAllEnvs());
  const worker = await runningWorker(queue, { workspaceRoot, setup: { env }, handler: () => {} });
  await eventually(() => {
    const failed = worker.events.find(({ type }) => type === "setup_failed");
    expect(failed?.message).toContain(`The setup script cannot be written below ${folder} (ENOENT`);
  });
  await mkdir(folder);
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
});

test("a server that is away while it is asked for the setup script is what the worker tells of", async () => {
  const queue = await testQueue({ config: { setup_script: "true" } });
  const proxy = await faultyProxy(queue.url);
  let away = true;
  proxy.route = () => (away ? "lose_request" : "pass");
  const session = await queue.newSession("hello");
  const worker = await runningWorker({ ...queue, url: proxy.url }, { setup: { env }, handler: () => {} });
  await eventually(() => {
    const { level, message } = worker.events.find(({ type }) => type === "call_failed") ?? {};
    expect(level).toBe("warn");
    expect(message).toMatch(
      /^Cannot reach the server .* Asking for the environment's setup script again in \d+\.\d s\.$/,
    );
  });
  away = false;
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(worker.events.map(({ type }) => type)).not.toContain("setup_failed");
});

test("a worker that is told to end during its setup kills the script and ends", async () => {
  const queue = await testQueue({ config: { setup_script: "sleep 600" } });
  const worker = await runningWorker(queue, { setup: { env }, handler: () => {} });
  await eventually(() => expect(worker.events.map((event) => event.type)).toContain("setup_started"));
  await worker.drain();
  await worker.ran;
  expect(worker.events.map((event) => event.type)).not.toContain("setup_failed");
});

test("a service that the setup script starts lives on", async () => {
  const queue = await testQueue({ config: { setup_script: "sleep 600 & echo $! > service" } });
  const workspaceRoot = await temporaryFolder();
  const session = await queue.newSession("hello");
  await runningWorker(queue, { workspaceRoot, setup: { env }, handler: () => {} });
  await queue.untilIdle(session.id);
  const pid = Number(await readFile(join(workspaceRoot, "service"), "utf8"));
  expect(process.kill(pid, 0)).toBe(true);
  process.kill(pid, "SIGKILL");
});

test("a service that goes on writing into the script's pipes holds neither the setup nor its time limit", async () => {
  const queue = await testQueue({ config: { setup_script: STRAY_WRITER } });
  const session = await queue.newSession("hello");
  const worker = await runningWorker(queue, { setup: { env }, handler: () => {} });
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  await worker.drain();
  await queue.client.updateEnvironment({
    environment_id: queue.environmentId,
    config: { type: "self_hosted", setup_script: `${STRAY_WRITER}; sleep 600` },
  });
  const slow = await runningWorker(queue, { setup: { env, timeoutSeconds: 1 }, handler: () => {} });
  await eventually(() =>
    expect(slow.events.map((event) => event.message).join()).toContain("The setup script took longer than 1 s: x"),
  );
});

test("without the wish for it, a setup script is not run", async () => {
  const queue = await testQueue({ config: { setup_script: "exit 1" } });
  const session = await queue.newSession("hello");
  const worker = await runningWorker(queue, { handler: () => {} });
  await queue.untilIdle(session.id);
  expect(worker.events.map((event) => event.type)).not.toContain("setup_started");
});
