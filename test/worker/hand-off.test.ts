import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { CapstanClient } from "../../src/client/index.ts";
import { type AttachOptions, attach, createHandOffHandler, type Handler, textOf } from "../../src/worker/index.ts";
import { eventually } from "../support/eventually.ts";
import { SECRETS, sh } from "./support/command.ts";
import { runningWorker, type TestQueue, temporaryFolder, testQueue } from "./support/queue.ts";

const handler: Handler = async ({ input, say }) => void (await say(`attached: ${input.takeAll().map(textOf).join()}`));

/** A worker whose command leaves what it was given in its folder, and then does what the script says. */
async function handingOff(queue: TestQueue, script: string) {
  const workspaceRoot = await temporaryFolder();
  const env = { PATH: process.env.PATH, ...SECRETS };
  const command = sh(`env | grep CAPSTAN_ > given.tmp; mv given.tmp given; ${script}`);
  const worker = await runningWorker(queue, {
    ...{ workspaceRoot, ttlSeconds: 10 },
    handler: createHandOffHandler({ command, env }),
  });
  const session = await queue.newSession("hello");
  const folder = join(workspaceRoot, session.id);
  const given = await eventually(async () => {
    const lines = (await readFile(join(folder, "given"), "utf8")).trimEnd().split("\n");
    return Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  });
  return { worker, session, folder, given: given as Record<string, string> };
}

/** What a process does that was started with these variables. */
async function attached(given: Readonly<Record<string, string>>, options: Partial<AttachOptions> = {}) {
  const attachment = attach({
    baseUrl: given.CAPSTAN_URL as string,
    workToken: given.CAPSTAN_WORK_TOKEN as string,
    environmentId: given.CAPSTAN_ENVIRONMENT_ID as string,
    workId: given.CAPSTAN_WORK_ID as string,
    lastHeartbeat: given.CAPSTAN_LAST_HEARTBEAT,
    workspaceRoot: await temporaryFolder(),
    ...{ handler, ttlSeconds: 10, maxIdleSeconds: 0 },
    ...options,
  });
  onTestFinished(() => attachment.abort());
  return attachment;
}

test("the command gets what a process needs to take the session over, and no secret besides", async () => {
  const queue = await testQueue();
  const { session, given } = await handingOff(queue, "exit 0");
  const [item] = await queue.items(session.id);
  expect(given).toEqual({
    CAPSTAN_URL: queue.url,
    CAPSTAN_WORK_TOKEN: expect.stringMatching(/^cwt_/),
    CAPSTAN_LAST_HEARTBEAT: item?.latest_heartbeat_at,
    CAPSTAN_WORK_ID: item?.id,
    CAPSTAN_ENVIRONMENT_ID: queue.environmentId,
    CAPSTAN_SESSION_ID: session.id,
  });
});

test("after the command has ended with 0, the worker beats no more and ends nothing, also at its own end", async () => {
  const queue = await testQueue();
  const { worker, session, given } = await handingOff(queue, "exit 0");
  await eventually(() => expect(worker.status().ended).toMatchObject({ handed_off: 1 }));
  await worker.drain();
  expect(await queue.items(session.id)).toMatchObject([
    { state: "active", latest_heartbeat_at: given.CAPSTAN_LAST_HEARTBEAT },
  ]);
  expect(await (await attached(given)).run()).toBe("completed");
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect(await queue.replies(session.id)).toEqual(["attached: hello"]);
  expect(await queue.items(session.id)).toMatchObject([{ state: "stopped" }]);
});

test("the session can be taken over while the command still runs, whose end means nothing to it then", async () => {
  const queue = await testQueue();
  const { worker, session, given, folder } = await handingOff(queue, "while [ ! -e end ]; do sleep 0.05; done; exit 3");
  const [item] = await queue.items(session.id);
  // By now the worker has beaten again, and the value that the command was given is an old one.
  await eventually(async () =>
    expect((await queue.items(session.id))[0]?.latest_heartbeat_at).not.toBe(item?.latest_heartbeat_at),
  );
  let finish: (() => void) | undefined;
  const attachment = await attached(given, {
    handler: async ({ say }) => {
      await new Promise<void>((resolve) => (finish = resolve));
      await say("attached");
    },
  });
  const outcome = attachment.run();
  await eventually(() => expect(finish).toBeDefined());
  await writeFile(join(folder, "end"), "");
  await eventually(() => expect(worker.status().ended).toMatchObject({ handed_off: 1, failed: 0 }), 30_000);
  expect(await queue.events(session.id, "session.error")).toEqual([]);
  finish?.();
  expect(await outcome).toBe("completed");
  expect(await queue.replies(session.id)).toEqual(["attached"]);
}, 60_000);

test("a command that fails before anything took over ends the turn with an error", async () => {
  const queue = await testQueue();
  const { worker, session } = await handingOff(queue, "exit 3");
  expect(await queue.untilIdle(session.id)).toBe("end_turn");
  expect((await queue.events(session.id, "session.error")).map(({ error }) => error)).toMatchObject([
    { type: "hand_off_failed", exit_code: 3 },
  ]);
  await eventually(() => expect(worker.status().ended).toMatchObject({ failed: 1, handed_off: 0 }));
});

test("a command that fails after what it started has beaten ends nothing", async () => {
  const queue = await testQueue();
  const { worker, session, given, folder } = await handingOff(queue, "while [ ! -e end ]; do sleep 0.05; done; exit 3");
  const client = new CapstanClient({ baseUrl: queue.url, token: given.CAPSTAN_WORK_TOKEN as string });
  const [item] = await queue.items(session.id);
  await client.heartbeatWork({
    environment_id: queue.environmentId,
    work_id: item?.id as string,
    expected_last_heartbeat: item?.latest_heartbeat_at as string,
  });
  await writeFile(join(folder, "end"), "");
  await eventually(() => expect(worker.status().ended).toMatchObject({ handed_off: 1, failed: 0 }));
  expect(await queue.items(session.id)).toMatchObject([{ state: "active" }]);
  expect(await queue.events(session.id, "session.error")).toEqual([]);
});

test("a worker that is told to end while its command runs gives the session back", async () => {
  const queue = await testQueue();
  const { worker, session } = await handingOff(queue, "exec sleep 600");
  await worker.abort();
  expect(worker.status().ended).toMatchObject({ released: 1, handed_off: 0 });
  expect(await queue.items(session.id)).toMatchObject([{ state: "queued" }]);
});

test("of two that take the same session over, the later one has it, and the other one ends nothing", async () => {
  const queue = await testQueue();
  const { session, given } = await handingOff(queue, "exit 0");
  const reasons: unknown[] = [];
  let begun = false;
  const first = await attached(given, {
    handler: async ({ signal }) => {
      begun = true;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reasons.push(signal.reason.reason);
    },
  });
  const firstOutcome = first.run();
  await eventually(() => expect(begun).toBe(true));
  let finish: (() => void) | undefined;
  const second = await attached(given, {
    handler: async ({ say }) => {
      await new Promise<void>((resolve) => (finish = resolve));
      await say("second");
    },
  });
  const secondOutcome = second.run();
  expect(await firstOutcome).toBe("lost");
  await eventually(() => expect(finish).toBeDefined());
  finish?.();
  expect(await secondOutcome).toBe("completed");
  expect(reasons).toEqual(["lease_lost"]);
  expect(await queue.replies(session.id)).toEqual(["second"]);
});

test("what is attached gives the session back when it is told to end, and is refused once the hand-out is over", async () => {
  const queue = await testQueue();
  const { worker, session, given } = await handingOff(queue, "exit 0");
  await worker.drain();
  let running = false;
  const attachment = await attached(given, {
    graceSeconds: 0,
    handler: async ({ signal }) => {
      running = true;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const outcome = attachment.run();
  await eventually(() => expect(running).toBe(true));
  attachment.drain();
  expect(await outcome).toBe("released");
  expect(await queue.items(session.id)).toMatchObject([{ state: "queued" }]);
  await expect((await attached(given)).run()).rejects.toMatchObject({ name: "ApiError", status: 401 });
});
