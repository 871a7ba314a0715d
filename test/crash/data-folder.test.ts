/** What a server does when its data folder is taken, not to be written, or full. */
import { execFileSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import type { Environment, ErrorBody, Session, Work } from "../../src/contract/shapes.ts";
import { ensureBuilt } from "../support/build.ts";
import { eventually } from "../support/eventually.ts";
import { call, readAll } from "./calls.ts";
import { runToItsEnd, type ServerProcess, startProcess } from "./server-process.ts";

beforeAll(() => ensureBuilt(), 180_000);

const isRoot = process.getuid?.() === 0;

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "capstan-folder-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A file system of its own, which only root may mount. */
async function mounted(options: string): Promise<string> {
  const path = await folder();
  execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
  onTestFinished(() => void execFileSync("umount", [path]));
  return path;
}

async function started(dataDir: string): Promise<ServerProcess> {
  const server = await startProcess(dataDir);
  onTestFinished(() => server.kill());
  return server;
}

/** One clear sentence, no stack, and an exit code that a script can see. */
function expectRefusal({ code, stderr }: { code: number | null; stderr: string }, sentence: RegExp): void {
  expect(stderr).toMatch(sentence);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(code).toBe(1);
}

test("a second server on the same data folder refuses, and the first goes on", async () => {
  const dataDir = await folder();
  const first = await started(dataDir);
  const second = await runToItsEnd(dataDir, ["--port", "0"]);
  expectRefusal(second, /A server uses the data folder .*--data-dir/);
  expect((await call(first.url, "GET", "/environments")).status).toBe(200);
});

test("a killed server leaves its data folder free", async () => {
  const dataDir = await folder();
  const first = await started(dataDir);
  await first.kill();
  const second = await started(dataDir);
  expect(await second.stop()).toBe(0);
});

test("a data folder that cannot be written is refused", async () => {
  const dataDir = isRoot ? await mounted("ro") : await folder();
  if (!isRoot) await chmod(dataDir, 0o500);
  expectRefusal(await runToItsEnd(dataDir, ["--port", "0"]), /cannot be (written|used)/);
});

test("a data folder that is a file, or a database that is none, is refused", async () => {
  const dataDir = await folder();
  await writeFile(join(dataDir, "file"), "x");
  expectRefusal(await runToItsEnd(join(dataDir, "file"), ["--port", "0"]), /cannot be used/);
  await writeFile(join(dataDir, "capstan.db"), "no database at all, but a text that is long enough".repeat(100));
  expectRefusal(await runToItsEnd(dataDir, ["--port", "0"]), /damaged or not a Capstan database/);
});

/** Fills a file system to its last byte. Returns the way to free it. */
async function fill(path: string): Promise<() => Promise<void>> {
  const ballast = join(path, "ballast");
  for (let size = 1_048_576; size >= 1_024; size /= 2) {
    try {
      for (;;) await writeFile(ballast, Buffer.alloc(size), { flag: "a" });
    } catch {
      // Full for this size; a smaller piece may still fit.
    }
  }
  return () => rm(ballast);
}

// Only a file system of its own can be filled without harm, and only root may mount one.
test.skipIf(!isRoot)("a full disk is a 503 to come back after, and over when there is space again", async () => {
  const dataDir = await mounted("size=24m");
  const { url } = await started(dataDir);
  const config = { type: "self_hosted" };
  const environment = (await call<Environment>(url, "POST", "/environments", { body: { name: "n", config } })).body;
  const body = { environment_id: environment.id, title: "x".repeat(250), initial_events: [{ type: "user.interrupt" }] };
  const create = () => call<Session>(url, "POST", "/sessions", { body });
  const before = (await create()).body;

  const free = await fill(dataDir);
  const refused = await eventually(async () => {
    const answer = await create();
    expect(answer.status).toBe(503);
    return answer;
  });
  expect((refused.body as unknown as ErrorBody).error).toMatchObject({
    type: "api_error",
    message: expect.stringContaining("Try again"),
  });
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await call<Session>(url, "GET", `/sessions/${before.id}`)).body.id).toBe(before.id);
  const known = await readAll<Session>(url, "/sessions");
  // Whoever spreads the load sends none here, until there is space again.
  const readiness = () => fetch(new URL("/readyz", url)).then(({ status }) => status);
  expect(await readiness()).toBe(503);

  await free();
  await eventually(async () => expect(await readiness()).toBe(200));
  const after = await eventually(async () => {
    const answer = await create();
    expect(answer.status).toBe(200);
    return answer.body;
  });
  const ids = (await readAll<Session>(url, "/sessions")).map(({ id }) => id);
  expect(ids).toEqual([after.id, ...known.map(({ id }) => id)]);
  const path = `/environments/${environment.id}/work`;
  const works = await readAll<Work>(url, path);
  expect(works.map((work) => work.data.id)).toEqual(ids.toReversed());
  const item = (await call<Work>(url, "GET", `${path}/poll`)).body;
  expect((await call<Work>(url, "POST", `${path}/${item.id}/ack`)).body.state).toBe("starting");
});
