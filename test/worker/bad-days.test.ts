import { randomInt } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { textOf } from "../../src/worker/index.ts";
import { LineSplitter } from "../../src/worker/output-lines.ts";
import { probeProtections } from "../../src/worker/sandbox/protections.ts";
import { eventually } from "../support/eventually.ts";
import { faultyProxy } from "../support/proxy.ts";
import { node, SECRETS, sh, turnOf } from "./support/command.ts";
import { workerProcess } from "./support/own-process.ts";
import { runningWorker, temporaryFolder, testQueue } from "./support/queue.ts";

const sandboxWorks = (await probeProtections()).some(({ name, inForce }) => name === "sandbox" && inForce);

test("a folder that is deleted under a running turn is there again for the next one", async () => {
  const queue = await testQueue();
  const workspaceRoot = await temporaryFolder();
  const session = await queue.newSession("one");
  await runningWorker(queue, {
    workspaceRoot,
    maxIdleSeconds: 0,
    handler: async ({ input, workspace, say }) => {
      for await (const event of input) {
        if (textOf(event) === "one") await rm(workspaceRoot, { recursive: true });
        else await writeFile(join(workspace, "notes"), "kept");
        await say(String(existsSync(workspace)));
      }
    },
  });
  await queue.untilIdle(session.id);
  await queue.say(session.id, "two");
  await eventually(async () => expect(await queue.replies(session.id)).toEqual(["false", "true"]));
  expect(await readFile(join(workspaceRoot, session.id, "notes"), "utf8")).toBe("kept");
});

test("a command that deletes its own folder ends as it likes, and the next one gets a new folder", async () => {
  const { queue, sessionId, replies, errors } = await turnOf(sh('rm -rf "$PWD"; echo "gone: $(ls | wc -l)"; mkdir x'));
  expect(replies).toEqual(["gone: 0"]);
  expect(errors).toMatchObject([{ type: "command_failed" }]);
  await queue.say(sessionId, "again");
  await eventually(async () => expect(await queue.replies(sessionId)).toHaveLength(2));
});

test("a link in the place of a session's folder is not followed", async () => {
  const queue = await testQueue();
  const workspaceRoot = await temporaryFolder();
  const elsewhere = await temporaryFolder();
  const session = await queue.newSession("one");
  await symlink(elsewhere, join(workspaceRoot, session.id));
  let ran = false;
  await runningWorker(queue, {
    workspaceRoot,
    handler: () => {
      ran = true;
    },
  });
  await queue.untilIdle(session.id);
  expect(ran).toBe(false);
  const [error] = await queue.events(session.id, "session.error");
  expect(error?.error).toMatchObject({ type: "workspace_failed", message: expect.stringContaining("remove it") });
});

test("1 GB of output without a line break pass through a worker whose memory stays bounded", async () => {
  const queue = await testQueue();
  const proxy = await faultyProxy(queue.url);
  let bytes = 0;
  // The server's part is played here, by one that is slower than the command.
  proxy.route = ({ method, path, body }) => {
    proxy.requests.length = 0;
    if (method !== "POST" || !path.endsWith("/events")) return "pass";
    bytes += body.length;
    return { status: 200, json: { data: [] }, before: () => sleep(5) };
  };
  const { session, output } = await workerProcess({ ...queue, url: proxy.url }, "flood");
  expect(await queue.untilIdle(session.id, 160_000)).toBe("end_turn");
  expect(bytes).toBeGreaterThan(1_000_000_000);
  const growth = await eventually(() => {
    const match = /memory grew by (\d+) MB/.exec(output());
    expect(match).not.toBeNull();
    return Number(match?.[1]);
  });
  expect(growth).toBeLessThan(150);
}, 180_000);

test("binary output becomes text with nothing left out but what is no text", async () => {
  const { replies, errors, workspaceRoot, sessionId } = await turnOf(sh("head -c 300000 /dev/urandom | tee copy"));
  const splitter = new LineSplitter();
  const copy = readFileSync(join(workspaceRoot, sessionId, "copy"));
  expect(errors).toEqual([]);
  expect(replies).toEqual([...splitter.push(copy), ...splitter.end()]);
});

/** Whether any process of this machine has this argument. */
const isRunning = (argument: string) =>
  readdirSync("/proc").some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(argument);
    } catch {
      return false;
    }
  });

describe.skipIf(!sandboxWorks)("in the sandbox (skipped where bwrap does not run)", () => {
  const confinement = { sandbox: "bwrap" } as const;

  test("a process that leaves the command's group does not outlive the turn", async () => {
    const seconds = String(randomInt(1e6, 1e9));
    const { replies, errors } = await turnOf(
      sh(`setsid setsid sleep ${seconds} >/dev/null 2>&1 & sleep 0.2; cat /proc/[0-9]*/comm | grep -c '^sleep$'`),
      { confinement },
    );
    expect(errors).toEqual([]);
    expect(replies).toEqual(["1"]);
    await eventually(() => expect(isRunning(seconds)).toBe(false));
  });

  test("a command is asked to end before it is killed", async () => {
    const queue = await testQueue();
    const { createCommandHandler } = await import("../../src/worker/index.ts");
    const command = sh(`trap 'sleep 0.5; echo "told to stop"; exit 0' TERM; echo started; sleep 600 & wait`);
    await runningWorker(queue, {
      maxTurnSeconds: 1,
      handler: createCommandHandler({ command, env: { PATH: process.env.PATH }, confinement }),
    });
    const { id } = await queue.newSession("hello");
    await queue.untilIdle(id);
    expect(await queue.replies(id)).toEqual(["started", "told to stop"]);
  });

  test("a command has the token of its hand-out, which it can use, and no other secret", async () => {
    const network = { sandbox: "bwrap", network: true } as const;
    const { replies, sessionId } = await turnOf(
      node(`
        const { CAPSTAN_URL, CAPSTAN_WORK_TOKEN, CAPSTAN_SESSION_ID } = process.env;
        console.log(Object.keys(process.env).filter((name) => name.startsWith("CAPSTAN_")).sort().join());
        console.log(Object.values(process.env).filter((value) => value.includes("secret")).length, process.env.KEPT);
        const session = CAPSTAN_URL + "/api/v1/cloud/sessions/" + CAPSTAN_SESSION_ID;
        fetch(session, { headers: { authorization: "Bearer " + CAPSTAN_WORK_TOKEN } })
          .then((answer) => answer.json()).then(({ id }) => console.log(id));`),
      { confinement: network },
    );
    expect(Object.values(SECRETS).every((secret) => secret.includes("secret"))).toBe(true);
    expect(replies).toEqual([
      "CAPSTAN_ENVIRONMENT_ID,CAPSTAN_SESSION_ID,CAPSTAN_URL,CAPSTAN_WORK_ID,CAPSTAN_WORK_TOKEN",
      "0 undefined",
      sessionId,
    ]);
  });

  test("a link out of the folder leads nowhere", async () => {
    const elsewhere = await temporaryFolder();
    await mkdir(join(elsewhere, "other"));
    await writeFile(join(elsewhere, "other", "secret.txt"), "not for you");
    const { replies } = await turnOf(
      sh(`ln -s ${elsewhere}/other way; cat way/secret.txt 2>/dev/null; echo x > way/y 2>/dev/null; echo done`),
      { confinement },
    );
    expect(replies).toEqual(["done"]);
    expect(existsSync(join(elsewhere, "other", "y"))).toBe(false);
  });
});
