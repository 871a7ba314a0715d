import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { withoutSecrets } from "../../config/secrets.ts";
import { groupKiller, hasEnded } from "../../worker/process-group.ts";
import { locatedCommand } from "../confinement.ts";
import { CommandError } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import type { DevFile } from "./file.ts";

/** How much longer than its own grace period a worker may take to end. */
const LAST_MS = 5_000;

/** What any worker has to know, by the names under which the examples and the documentation look for it. */
export const workerVariables = (file: DevFile) => ({
  CAPSTAN_URL: file.url,
  CAPSTAN_TOKEN: file.worker_token,
  CAPSTAN_ENVIRONMENT_ID: file.environment_id,
});

/** A program that is a worker by itself, run beside the server for as long as that runs. */
export class OwnWorker {
  readonly #command: readonly string[];
  readonly #io: Io;
  readonly #file: DevFile;
  readonly #graceMs: number;
  readonly #drained = new AbortController();
  #child: ChildProcess | undefined;

  /** @param command without one nothing is started, and the run goes on until it is drained */
  constructor(io: Io, command: readonly string[], file: DevFile, graceSeconds: number) {
    this.#io = io;
    this.#command = command;
    this.#file = file;
    this.#graceMs = graceSeconds * 1_000;
  }

  /** @throws CommandError when the program cannot be started, or ends without having been told to */
  async run(): Promise<void> {
    const { signal } = this.#drained;
    if (signal.aborted) return;
    if (this.#command.length === 0) return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
    const how = await this.#runProgram();
    if (signal.aborted) return;
    throw new CommandError("failed", `The worker ${how}.`, "Its own output above says why.");
  }

  /** Tells the program to end; it is killed when it takes longer than its grace period. */
  async drain(): Promise<void> {
    this.#drained.abort();
    const child = this.#child;
    if (child === undefined) return;
    // Not its group: whoever watches a program for changes passes the signal on, and a second one would cut it off.
    child.kill("SIGTERM");
    await sleep(this.#graceMs + LAST_MS, undefined, { ref: false });
    this.abort();
  }

  abort(): void {
    this.#drained.abort();
    // The number of a group whose program has ended may be somebody else's.
    if (this.#child === undefined || hasEnded(this.#child)) return;
    groupKiller(this.#child)("SIGKILL");
  }

  #runProgram(): Promise<string> {
    const [program = "", ...args] = locatedCommand(this.#command);
    const env = { ...withoutSecrets(this.#io.environment), ...workerVariables(this.#file) };
    // A group of its own, which a Ctrl-C of the terminal does not reach: it is told to end, and can give back what it has.
    const child = spawn(program, args, { env, detached: true, stdio: ["ignore", "inherit", "inherit"] });
    this.#child = child;
    return new Promise((resolve, reject) => {
      child.once("error", ({ message }) => {
        reject(new CommandError("failed", `The worker ${program} cannot be started: ${message}.`, "Check its path."));
      });
      child.once("exit", (code, signal) => {
        resolve(signal === null ? `has ended with code ${code}` : `was ended by ${signal}`);
      });
    });
  }
}
