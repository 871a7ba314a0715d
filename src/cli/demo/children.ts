import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Environment } from "../../config/environment.ts";
import { CommandError } from "../exit-codes.ts";

const MAIN = fileURLToPath(new URL("../main.js", import.meta.url));
export const SERVER = "server";
/** Kept of what a child writes, for the case that it fails. */
const KEPT_CHARACTERS = 10_000;

export interface Child {
  readonly name: string;
  readonly process: ChildProcess;
  /** The exit code; `null` when a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Waits for something that the child writes. */
  find(pattern: RegExp, withinMs: number): Promise<RegExpExecArray>;
  /** Signals the child and what it started, unless that has a group of its own. */
  kill(signal: NodeJS.Signals): void;
}

/** The processes of a demo. All of them end with it, however it ends. */
export class Children {
  readonly #children = new Set<Child>();
  readonly #base: Environment;

  /** @param environment variables of this process; those of Capstan do not reach the children */
  constructor(environment: Environment) {
    this.#base = Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("CAPSTAN_")));
    process.once("exit", this.#killAll);
  }

  start(name: string, words: readonly string[], environment: Readonly<Record<string, string>>): Child {
    const child = spawn(process.execPath, [MAIN, ...words], {
      env: { ...this.#base, ...environment },
      // A group of its own: Ctrl-C reaches this process alone, which then ends the others in order.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let written = "";
    const keep = (text: string) => {
      written = (written + text).slice(-KEPT_CHARACTERS);
    };
    child.stdout.setEncoding("utf8").on("data", keep);
    child.stderr.setEncoding("utf8").on("data", keep);
    const started: Child = {
      name,
      process: child,
      ended: new Promise((resolve) => child.once("close", resolve)),
      find: (pattern, withinMs) => findIn(() => written, pattern, withinMs, started),
      kill: (signal) => killGroup(child.pid, signal),
    };
    this.#children.add(started);
    started.ended.then(() => this.#children.delete(started));
    return started;
  }

  /**
   * Ends what still runs, politely at first: workers before the server, because they have something to give back to it.
   *
   * @returns the names of those that did not end well
   */
  async end(withinMs: number): Promise<string[]> {
    const forced = setTimeout(this.#killAll, withinMs);
    const running = [...this.#children];
    const [servers, workers] = [running.filter(isServer), running.filter((child) => !isServer(child))];
    const unwell = [...(await endAll(workers)), ...(await endAll(servers))];
    clearTimeout(forced);
    process.off("exit", this.#killAll);
    return unwell;
  }

  readonly #killAll = (): void => {
    for (const child of this.#children) child.kill("SIGKILL");
  };
}

const isServer = ({ name }: Child): boolean => name === SERVER;

async function endAll(children: readonly Child[]): Promise<string[]> {
  for (const child of children) child.kill("SIGTERM");
  const codes = await Promise.all(children.map((child) => child.ended));
  return children.filter((_, index) => codes[index] !== 0).map(({ name }) => name);
}

export function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function findIn(written: () => string, pattern: RegExp, withinMs: number, child: Child) {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const match = pattern.exec(written());
    if (match !== null) return match;
    const over = child.process.exitCode !== null || performance.now() > deadline;
    if (over)
      throw new CommandError("failed", `The ${child.name} did not start: ${written().trim() || "it wrote nothing"}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
