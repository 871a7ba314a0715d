import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { ADMIN_TOKEN } from "../../../crash/server-process.ts";
import { ROOT } from "../../../support/build.ts";
import type { Replica } from "./day.ts";

export interface ReplicaProcess extends Replica {
  /** SIGKILL: nothing of the process gets to say a last word. */
  kill(): Promise<void>;
}

/** `capstan serve` as it is shipped, in a process of its own, whose wall clock may be wrong. */
export async function asProcess(databaseUrl: string, clockOffsetMs = 0): Promise<ReplicaProcess> {
  const main = join(ROOT, "dist", "cli", "main.js");
  const child = spawn(process.execPath, ["--import", wrongClock(clockOffsetMs), main, "serve", "--port", "0"], {
    env: { CAPSTAN_ADMIN_TOKEN: ADMIN_TOKEN, CAPSTAN_DATABASE_URL: databaseUrl, CAPSTAN_LOG_LEVEL: "error" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return { url: await listening(child), kill: () => end("SIGKILL"), stop: () => end("SIGTERM") };
}

/** A module that moves the process's idea of the time of day before anything else is loaded. */
function wrongClock(offsetMs: number): string {
  const code = `const RealDate = Date; const now = () => RealDate.now() + ${offsetMs};
    globalThis.Date = class extends RealDate {
      constructor(...given) { if (given.length === 0) super(now()); else super(...given); }
      static now() { return now(); }
    };`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        said += String(chunk);
        const match = /listens on (\S+)/.exec(said);
        if (match?.[1] !== undefined) resolve(match[1]);
      });
    }
    child.once("close", () => reject(new Error(said)));
  });
}
