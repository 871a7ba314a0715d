import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { OwnWorker } from "../../src/cli/dev/own-worker.ts";
import { processIo } from "../../src/cli/io.ts";
import { eventually } from "../support/eventually.ts";
import { processIsGone, sh } from "../worker/support/command.ts";
import { temporaryFolder } from "../worker/support/queue.ts";

const FILE = { url: "http://127.0.0.1:1", admin_token: "a", environment_id: "env_1", worker_token: "t" };

const ownWorker = (script: string) => new OwnWorker(processIo({ PATH: process.env.PATH }), sh(script), FILE, 3_600);

test("a worker that a signal ended can be aborted as often as somebody presses Ctrl-C", async () => {
  const worker = ownWorker("kill -9 $$");
  await expect(worker.run()).rejects.toThrow("The worker was ended by SIGKILL.");
  for (let presses = 0; presses < 2; presses += 1) worker.abort();
});

test("a worker that has ended by itself is not signalled: its number may be somebody else's", async () => {
  const worker = ownWorker("exit 7");
  await expect(worker.run()).rejects.toThrow("The worker has ended with code 7.");
  const kill = vi.spyOn(process, "kill");
  worker.abort();
  expect(kill).not.toHaveBeenCalled();
  kill.mockRestore();
});

test("an aborted worker is killed with all that it started", async () => {
  const pids = join(await temporaryFolder(), "pids");
  const worker = ownWorker(`trap '' TERM; sleep 600 & echo "$$ $!" > ${pids}; wait`);
  const ran = worker.run();
  await eventually(() => expect(readFileSync(pids, "utf8")).toMatch(/\n$/));
  worker.abort();
  worker.abort();
  await ran;
  for (const pid of readFileSync(pids, "utf8").split(" ")) await eventually(() => processIsGone(Number(pid)));
});
