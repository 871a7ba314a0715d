import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CapstanClient } from "../client/client.ts";
import { wait } from "../client/wait.ts";
import type { Report } from "./events.ts";
import { describe, persist, retryWaitMs } from "./failures.ts";
import { readTail } from "./pipes.ts";
import { commandEnvironment, startGroup } from "./process-group.ts";

export interface SetupOptions {
  /** The variables that the script inherits. The worker's own secrets are taken out. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A script that takes longer is killed and has failed. Default 600. */
  readonly timeoutSeconds?: number | undefined;
}

export interface SetupParts extends SetupOptions {
  readonly client: CapstanClient;
  readonly environmentId: string;
  readonly workspaceRoot: string;
  readonly report: Report;
}

const BACKOFF = { baseMs: 2_000, maxMs: 60_000 } as const;
const DEFAULT_TIMEOUT_SECONDS = 600;

/**
 * Runs the environment's setup script until it has succeeded once. A worker whose machine is not ready takes no work, and
 * a script that was corrected in the meantime is picked up by the next try.
 *
 * @throws what the server refuses for good, or the signal's reason
 */
export async function setUp(parts: SetupParts, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const script = await currentScript(parts, signal);
    if (script === undefined) return;
    try {
      await tryOnce(script, parts, signal);
      return;
    } catch (failure) {
      if (signal.aborted) throw failure;
      // Whatever it is, a full disk no less than the script, it is this machine's and may be put right.
      const pauseMs = retryWaitMs(failure, attempt, BACKOFF);
      const message = `The environment is not set up, so no work is taken; next try in ${Math.ceil(pauseMs / 1_000)} s. ${describe(failure)}`;
      parts.report({ level: "error", type: "setup_failed", message });
      await wait(pauseMs, signal);
    }
  }
}

async function currentScript(parts: SetupParts, signal: AbortSignal): Promise<string | undefined> {
  const { client, environmentId, report } = parts;
  const environment = await persist(
    () => client.getEnvironment({ environment_id: environmentId }, { signal, maxRetries: 0 }),
    signal,
    (failure, waitMs) => {
      const message = `${describe(failure)} Asking for the environment's setup script again in ${(waitMs / 1_000).toFixed(1)} s.`;
      report({ level: "warn", type: "call_failed", message });
    },
  );
  const script = environment.config.setup_script;
  return typeof script === "string" && script.trim() !== "" ? script : undefined;
}

async function tryOnce(script: string, parts: SetupParts, signal: AbortSignal): Promise<void> {
  const { report } = parts;
  report({ level: "info", type: "setup_started", message: "Running the environment's setup script." });
  const startedAt = performance.now();
  // A file, because an argument would be visible to every user of the machine and standard input would be the script's own.
  const folder = await mkdtemp(join(tmpdir(), "capstan-setup-")).catch(notWritten);
  try {
    const file = join(folder, "setup.sh");
    await writeFile(file, script, { mode: 0o600 }).catch(notWritten);
    await runScript(file, parts, signal);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  report({ level: "info", type: "setup_finished", message: `The setup script succeeded after ${seconds} s.` });
}

function notWritten(failure: unknown): never {
  const message = `The setup script cannot be written below ${tmpdir()} (${describe(failure)}): look at that folder and its disk.`;
  throw new Error(message, { cause: failure });
}

async function runScript(file: string, parts: SetupParts, signal: AbortSignal): Promise<void> {
  const { env, workspaceRoot: cwd, timeoutSeconds = DEFAULT_TIMEOUT_SECONDS } = parts;
  const group = startGroup(["sh", "-e", file], { cwd, env: commandEnvironment(env) });
  group.stdin.on("error", () => {});
  group.stdin.end();
  const cut = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutSeconds * 1_000);
  const kill = () => {
    group.kill("SIGKILL");
    cut.abort();
  };
  signal.addEventListener("abort", kill);
  // The file took its time to be written.
  if (signal.aborted) kill();
  try {
    const tails = Promise.all([group.stdout, group.stderr].map((pipe) => readTail(pipe, cut.signal, signal)));
    const exit = await group.exited;
    clearTimeout(timer);
    // Services that the script leaves running on purpose may hold its pipes open.
    cut.abort();
    const [stdoutTail, stderrTail] = await tails;
    signal.throwIfAborted();
    if (exit.code === 0) return;
    const how = timedOut
      ? `took longer than ${timeoutSeconds} s`
      : exit.signal === null
        ? `exited with code ${exit.code}`
        : `was ended by ${exit.signal}`;
    throw new Error(`The setup script ${how}: ${stderrTail || stdoutTail || "it wrote nothing"}`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
    for (const pipe of [group.stdout, group.stderr]) pipe.destroy();
  }
}
