import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { bubblewrapPrefix } from "./bubblewrap.ts";
import { limiterPrefix } from "./limits.ts";

export interface Protection {
  readonly name: "sandbox" | "memory" | "cpu" | "processes" | "duration";
  readonly inForce: boolean;
  /** One sentence: what holds, or what to do so that it does. */
  readonly message: string;
}

const TRY_MS = 5_000;

/** Whether a program that does nothing ends well behind this prefix. */
function runs(prefix: readonly string[]): Promise<string | undefined> {
  const [program, ...args] = prefix;
  return new Promise((resolve) => {
    execFile(program as string, [...args, "true"], { timeout: TRY_MS }, (error, _stdout, stderr) => {
      if (error === null) return resolve(undefined);
      resolve(
        (error as NodeJS.ErrnoException).code === "ENOENT" ? "it is not installed" : stderr.trim() || error.message,
      );
    });
  });
}

/** Tries each protection on this machine, as the user that runs this. */
export async function probeProtections(): Promise<readonly Protection[]> {
  const [sandbox, limiter] = await Promise.all([
    runs(bubblewrapPrefix({ workspace: tmpdir(), network: false, readable: [] })),
    runs(limiterPrefix({ memoryMb: 1_024, cpuSeconds: 60 })),
  ]);
  const limited = (what: string) =>
    limiter === undefined
      ? `${what} can be limited.`
      : `${what} cannot be limited: prlimit fails (${limiter}). Install util-linux.`;
  const isRoot = process.getuid?.() === 0;
  return [
    {
      name: "sandbox",
      inForce: sandbox === undefined,
      message:
        sandbox === undefined
          ? "bubblewrap works: --sandbox bwrap gives every command namespaces of its own."
          : `bubblewrap does not work (${sandbox}). Install it (Debian: apt install bubblewrap) and allow user namespaces.`,
    },
    { name: "memory", inForce: limiter === undefined, message: limited("Memory") },
    { name: "cpu", inForce: limiter === undefined, message: limited("Processor time") },
    {
      name: "processes",
      inForce: limiter === undefined && !isRoot,
      message: isRoot
        ? "The number of processes cannot be limited for root: run the worker as another user."
        : limited("The number of processes"),
    },
    // Enforced by the worker itself, which needs nothing of the machine for it.
    { name: "duration", inForce: true, message: "The time that a turn takes can be limited." },
  ];
}
