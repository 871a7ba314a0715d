import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { ensureBuilt, ROOT } from "../support/build.ts";
import { runCli } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";

beforeAll(ensureBuilt, 150_000);

function start() {
  const child = spawn(process.execPath, ["scripts/three-replicas.mjs", "--port", "0"], { cwd: ROOT });
  onTestFinished(() => void child.kill("SIGTERM"));
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const find = (pattern: RegExp) =>
    eventually(() => {
      const match = pattern.exec(said);
      if (match === null) throw new Error(`${pattern} is not in: ${said}`);
      return match.slice(1) as string[];
    }, 60_000);
  return { child, ended, find, said: () => said };
}

/** Processes of everybody that have this one as their parent. */
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);

test.skipIf(!existsSync("/proc/self/task"))(
  "three replicas start with one command, outlive one of them, and leave nothing behind",
  { timeout: 120_000 },
  async () => {
    const place = start();
    const [url = "", token = ""] = await place.find(/CAPSTAN_URL=(\S+) CAPSTAN_TOKEN=(\S+) npx capstan run/);
    await place.find(/database .*@\S+ {2}\(without its password: the replicas have it\)/);
    const env = { CAPSTAN_URL: url, CAPSTAN_TOKEN: token };
    const hello = async (name: string): Promise<void> => {
      const { code, stdout } = await runCli(["run", name], { env });
      expect(stdout).toContain(`You said: ${name}`);
      expect(code).toBe(0);
    };
    await hello("all three");
    const [victim = ""] = await place.find(/replica 2 .*kill -9 (\d+)/);
    process.kill(Number(victim), "SIGKILL");
    await hello("one is dead");
    await hello("still dead");
    const processes = childrenOf(place.child.pid as number);
    expect(processes.length).toBeGreaterThan(3);
    place.child.kill("SIGINT");
    expect(await place.ended).toBe(0);
    for (const pid of processes) expect(existsSync(join("/proc", String(pid)))).toBe(false);
  },
);
