/** Processes of a run, each pinned to a core of its own where the machine allows it. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

export const CORES = { server: 0, load: 1, database: 1 };

/** Two processes on one core would measure the scheduler, so pinning needs two cores. */
export const PINNED = availableParallelism() >= 2 && spawnSync("taskset", ["--version"]).status === 0;

/** A run that fails half-way must not leave a server behind that disturbs the next one. */
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a program on one core, unless that is `null`. `options` are those of `spawn`. */
export function startOn(core, file, words, options) {
  const pinned = PINNED && core !== null;
  const child = pinned ? spawn("taskset", ["-c", String(core), file, ...words], options) : spawn(file, words, options);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** The same for a Node program. */
export const startNode = (core, words, options) => startOn(core, process.execPath, words, options);

/** Moves a process that runs, and what it has started, to one core; what it starts from now on runs there, too. */
export function moveTo(core, pid) {
  if (!PINNED || core === null) return;
  for (const one of [pid, ...childrenOf(pid)]) {
    const words = ["-a", "-c", "-p", String(core), String(one)];
    const { status, stderr } = spawnSync("taskset", words, { encoding: "utf8" });
    // Some of what a database starts ends by itself.
    if (status !== 0 && existsSync(`/proc/${one}`)) throw new Error(`It cannot be moved to core ${core}: ${stderr}`);
  }
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

/** The fields of `/proc/<pid>/stat` behind the name, from the state on. */
function statOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** CPU time that a process has used since its start, all of its threads, user and system. */
export function cpuMs(pid) {
  const fields = statOf(pid);
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** The same of a process and of all that it has started, also of those that have ended. */
export function familyCpuMs(pid) {
  const fields = statOf(pid);
  let sum = cpuMs(pid) + (Number(fields[13]) + Number(fields[14])) * MS_PER_TICK;
  for (const child of childrenOf(pid)) {
    try {
      sum += cpuMs(child);
    } catch (error) {
      // It has ended since it was listed.
      if (error.code !== "ENOENT" && error.code !== "ESRCH") throw error;
    }
  }
  return sum;
}

const childrenOf = (pid) => readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean);

/** Memory that a process has in RAM, in bytes. */
export function residentBytes(pid) {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
  return Number(line[1]) * 1_024;
}
