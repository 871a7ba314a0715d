import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { ROOT } from "./build.ts";

/** Only a pseudo-terminal shows what a terminal is shown, and `script` (util-linux) makes one. */
export const hasScript = spawnSync("script", ["--version"]).status === 0;

/** Runs a command on a terminal that has no size, for the length of one test. */
export function onTerminal(env: Readonly<Record<string, string>>, ...words: string[]) {
  const line = [process.execPath, join(ROOT, "dist", "cli", "main.js"), ...words].join(" ");
  const child = spawn("script", ["-qec", line, "/dev/null"], {
    env: { PATH: process.env.PATH, TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    shown += chunk.replaceAll("\u001b", "<ESC>");
  });
  return { child, shown: () => shown };
}
