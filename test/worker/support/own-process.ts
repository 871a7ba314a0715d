import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import type { Session } from "../../../src/client/index.ts";
import { eventually } from "../../support/eventually.ts";
import { type TestQueue, temporaryFolder } from "./queue.ts";

const TYPESCRIPT = new URL("../../support/typescript.mjs", import.meta.url).href;
const PROCESS = fileURLToPath(new URL("./worker-process.ts", import.meta.url));

export interface WorkerProcess {
  readonly session: Session;
  readonly output: () => string;
  kill(signal: NodeJS.Signals): void;
}

/** A worker in a process of its own, in the middle of a session. It is gone when the test has ended. */
export async function workerProcess(
  queue: TestQueue,
  mode: "wait" | "block" | "talk" | "astray" | "flood",
): Promise<WorkerProcess> {
  const args = [mode, queue.url, queue.environmentId, await temporaryFolder()];
  const child = spawn(process.execPath, ["--import", TYPESCRIPT, PROCESS, ...args], {
    env: { PATH: process.env.PATH, TEST_TOKEN: queue.token },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const session = await queue.newSession("hello");
  await eventually(() => expect(output).toContain("handler started"));
  return { session, output: () => output, kill: (signal) => void child.kill(signal) };
}
