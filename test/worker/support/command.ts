import { type CommandHandlerOptions, createCommandHandler } from "../../../src/worker/index.ts";
import { runningWorker, type TestQueue, type TestWorker, temporaryFolder, testQueue } from "./queue.ts";

export const sh = (script: string) => ["sh", "-c", script];
/** For a shell: somebody who has left its group, and writes into its pipes until they break. */
export const STRAY_WRITER =
  "setsid sh -c 'echo $$ > stray; while :; do echo x; sleep 0.05; done' & until [ -s stray ]; do sleep 0.01; done";
export const node = (script: string) => [process.execPath, "-e", script];

/** What a worker's own variables may hold, and its command must never see. */
export const SECRETS = {
  CAPSTAN_TOKEN: "secret-token",
  CAPSTAN_ADMIN_TOKEN: "secret-admin",
  CAPSTAN_METRICS_TOKEN: "secret-metrics",
  CAPSTAN_WORK_TOKEN: "secret-of-another-hand-out",
  CAPSTAN_DATABASE_URL: "postgres://secret",
  CAPSTAN_DATABASE_LISTEN_URL: "postgres://secret",
};

export interface Ran {
  readonly queue: TestQueue;
  readonly worker: TestWorker;
  readonly sessionId: string;
  readonly workspaceRoot: string;
  readonly replies: readonly string[];
  readonly errors: readonly unknown[];
}

/** Runs one turn of a command to its end. */
export async function turnOf(
  command: readonly string[],
  options: Omit<CommandHandlerOptions, "command" | "env"> = {},
  text = "hello",
): Promise<Ran> {
  const queue = await testQueue();
  const workspaceRoot = await temporaryFolder();
  const env = { PATH: process.env.PATH, KEPT: "kept", ...SECRETS };
  const handler = createCommandHandler({ command, env, ...options });
  const worker = await runningWorker(queue, { workspaceRoot, handler });
  const { id } = await queue.newSession(text);
  await queue.untilIdle(id);
  const errors = (await queue.events(id, "session.error")).map((event) => event.error);
  return { queue, worker, sessionId: id, workspaceRoot, replies: await queue.replies(id), errors };
}

export function processIsGone(pid: number): void {
  try {
    process.kill(pid, 0);
  } catch {
    return;
  }
  throw new Error(`process ${pid} is still there`);
}
