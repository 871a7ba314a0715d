import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../support/build.ts";

export const ADMIN_TOKEN = "admin-token-of-the-crash-tests-0123456789";

export interface ServerProcess {
  readonly url: string;
  /** SIGKILL: nothing of the process gets to say a last word. Resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM. Resolves to the exit code. */
  stop(): Promise<number | null>;
}

export interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

/** `capstan serve` as it is shipped, in a process of its own. Rejects with its last words when it does not come up. */
export async function startProcess(dataDir: string, flags: readonly string[] = []): Promise<ServerProcess> {
  const child = spawnServer(dataDir, ["--port", "0", ...flags]);
  const ended = endOf(child);
  const url = await Promise.race([listening(child), ended.then(({ stderr }) => Promise.reject(new Error(stderr)))]);
  return {
    url,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    async stop() {
      child.kill("SIGTERM");
      return (await ended).code;
    },
  };
}

/** For a server that must not come up. */
export function runToItsEnd(dataDir: string, flags: readonly string[]): Promise<Ended> {
  return endOf(spawnServer(dataDir, flags));
}

function spawnServer(dataDir: string, flags: readonly string[]): ChildProcess {
  const main = join(ROOT, "dist", "cli", "main.js");
  return spawn(process.execPath, [main, "serve", "--data-dir", dataDir, "--log-level", "error", ...flags], {
    env: { CAPSTAN_ADMIN_TOKEN: ADMIN_TOKEN },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function endOf(child: ChildProcess): Promise<Ended> {
  let stderr = "";
  child.stderr?.on("data", (chunk) => {
    stderr += String(chunk);
  });
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stderr })));
}

function listening(child: ChildProcess): Promise<string> {
  let stdout = "";
  return new Promise((resolve) => {
    child.stdout?.on("data", (chunk) => {
      stdout += String(chunk);
      const match = /listens on (\S+)/.exec(stdout);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
  });
}
