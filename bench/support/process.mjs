/** Processes of a run, each pinned to a core of its own where the machine allows it. */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

export const CORES = { server: 0, load: 1 };

/** Two processes on one core would measure the scheduler, so pinning needs two cores. */
export const PINNED = availableParallelism() >= 2 && spawnSync("taskset", ["--version"]).status === 0;

/** A run that fails half-way must not leave a server behind that disturbs the next one. */
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a Node program on a core. `options` are those of `spawn`. */
export function startNode(core, words, options) {
  const [file, args] = PINNED
    ? ["taskset", ["-c", String(core), process.execPath, ...words]]
    : [process.execPath, words];
  const child = spawn(file, args, options);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Ends a process that this run started, and waits for it. */
export async function endProcess(child, signal = "SIGTERM") {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}

/** Linux counts CPU time in hundredths of a second, whatever the kernel's tick. */
const MS_PER_TICK = 10;

/** CPU time that a process has used since its start, all of its threads, user and system. */
export function cpuMs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** Memory that a process has in RAM, in bytes. */
export function residentBytes(pid) {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return Number(line[1]) * 1_024;
}
