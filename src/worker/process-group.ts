import { type ChildProcess, type ChildProcessWithoutNullStreams, type StdioOptions, spawn } from "node:child_process";
import { PassThrough, Readable, type Writable } from "node:stream";
import { describe } from "./failures.ts";
import { TurnFailed } from "./handler.ts";

export interface Exit {
  /** `null` when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A command with everything that it starts: one process group, which is signalled as a whole. */
export interface ProcessGroup {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** How the command itself ended; its children may live on. Rejects with {@link CommandNotStarted}. */
  readonly exited: Promise<Exit>;
  /**
   * Sends the signal to every process of the group, also when the command itself has ended. A SIGKILL after that is the last
   * one: whatever comes later reaches nobody.
   */
  kill(signal: NodeJS.Signals): void;
}

/** What to do about it, where it is not the program. */
const ADVICE: Readonly<Record<string, string>> = {
  E2BIG: "its arguments and variables are more than the system passes on, so make them shorter",
  EMFILE: "the worker has too many files open: let it run fewer sessions at once, or raise its limit (ulimit -n)",
  ENFILE: "this machine has too many files open",
};

/** A program that is not there, may not be run, or got more than the system can pass to it; or no room for one more. */
export class CommandNotStarted extends TurnFailed {
  constructor(program: string, cause: unknown) {
    const advice = ADVICE[(cause as NodeJS.ErrnoException).code ?? ""] ?? "check its path and its permissions";
    super("command_failed", `The command ${program} cannot be started (${describe(cause)}): ${advice}.`);
    this.name = "CommandNotStarted";
    this.cause = cause;
  }
}

export interface GroupOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Starts a command without a shell. @param command the program and its arguments */
export function startGroup(command: readonly string[], options: GroupOptions): ProcessGroup {
  const child = spawnGroup(command, options, ["pipe", "pipe", "pipe"]);
  // Without them where nothing more can be opened: `exited` says so, and until it does nobody is to miss them.
  const { stdin, stdout, stderr } = child as Partial<ChildProcessWithoutNullStreams>;
  return {
    stdin: stdin ?? new PassThrough().resume(),
    stdout: stdout ?? Readable.from([]),
    stderr: stderr ?? Readable.from([]),
    exited: exitOf(command, child),
    kill: groupKiller(child),
  };
}

/** Starts a command that has nothing to read, and whose output goes where the errors of this process go. */
export function startSilentGroup(
  command: readonly string[],
  options: GroupOptions,
): Pick<ProcessGroup, "exited" | "kill"> {
  // No pipe to this process: what the command starts may outlive it, and must not die of writing to nobody.
  const child = spawnGroup(command, options, ["ignore", STANDARD_ERROR, STANDARD_ERROR]);
  return { exited: exitOf(command, child), kill: groupKiller(child) };
}

const STANDARD_ERROR = 2;

function spawnGroup([program = "", ...args]: readonly string[], { cwd, env }: GroupOptions, stdio: StdioOptions) {
  if (program === "") throw new TypeError("a command needs at least the name of a program");
  try {
    // A session and a group of its own: only so can its children be found again, and no Ctrl-C of a terminal reaches it.
    return spawn(program, args, { cwd, env: { ...env }, detached: true, stdio });
  } catch (failure) {
    throw new CommandNotStarted(program, failure);
  }
}

function exitOf([program = ""]: readonly string[], child: ChildProcess): Promise<Exit> {
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once("error", (failure) => reject(new CommandNotStarted(program, failure)));
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  // Whoever waits for it hears of a failed start; nobody may be waiting yet.
  exited.catch(() => {});
  return exited;
}

/** Whether the child itself has ended, in whatever way. */
export const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null;

/** Signals the group that a detached child leads, for as long as its number cannot be anybody else's. */
export function groupKiller(child: ChildProcess): ProcessGroup["kill"] {
  // When the child was waited for and the last one of its group is gone, the system may give the number away.
  let over = false;
  return (signal) => {
    if (over || child.pid === undefined) return;
    const isLast = signal === "SIGKILL" && hasEnded(child);
    over = !signalGroup(child.pid, signal) || isLast;
  };
}

/** @returns false when the whole group has ended */
function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal);
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    if (code === "ESRCH") return false;
    // EPERM: what is left of it runs as another user, beyond our reach.
    if (code !== "EPERM") throw failure;
  }
  return true;
}

/**
 * Never handed to a command: with one of these it could act in the worker's or the operator's name, or mistake another
 * hand-out for its own. The secret settings are all among them: a test compares, because the settings are not known here.
 */
const NOT_INHERITED = [
  "CAPSTAN_TOKEN",
  "CAPSTAN_ADMIN_TOKEN",
  "CAPSTAN_METRICS_TOKEN",
  "CAPSTAN_WORK_TOKEN",
  "CAPSTAN_LAST_HEARTBEAT",
  "CAPSTAN_DATABASE_URL",
  "CAPSTAN_DATABASE_LISTEN_URL",
];

/** The variables of a command: those of the worker without what is its own, and what is added. */
export function commandEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  added: Readonly<Record<string, string>> = {},
): Record<string, string | undefined> {
  const kept = Object.entries(own).filter(([name]) => !NOT_INHERITED.includes(name));
  return { ...Object.fromEntries(kept), ...added };
}
