import { takeNpmLaunch } from "../config/environment.ts";
import { EXIT_CODES, type ExitName } from "./exit-codes.ts";

export type StopSignal = "SIGINT" | "SIGTERM";

/**
 * Between npm and this process stands a shell. One that replaces itself by us passes a Ctrl-C of the terminal on a second
 * time; one that does not dies of npm's SIGTERM without passing it on, and we would go on unowned.
 */
const underNpm = takeNpmLaunch();
const SAME_SIGNAL_MS = 500;
const PARENT_CHECK_MS = 250;

/**
 * Hears the signals that ask a process to end. The first one is the command's to answer; the second one means that
 * someone has waited long enough. The end of an npm that started us, or of the terminal, counts as a first SIGTERM; of
 * that one the system and the shell may both tell.
 *
 * @returns the way to stop hearing.
 */
export function onStopSignals(first: (signal: StopSignal) => void, second: (signal: StopSignal) => void = exitNow) {
  let lastAt: number | undefined;
  const hear = (signal: StopSignal) => {
    const now = performance.now();
    const repeat = underNpm && lastAt !== undefined && now - lastAt < SAME_SIGNAL_MS;
    if (repeat) return;
    const answer = lastAt === undefined ? first : second;
    lastAt = now;
    answer(signal);
  };
  const ownerIsGone = () => {
    if (lastAt === undefined) hear("SIGTERM");
  };
  const deafToParent = underNpm ? onParentEnd(ownerIsGone) : undefined;
  process.on("SIGINT", hear);
  process.on("SIGTERM", hear);
  process.on("SIGHUP", ownerIsGone);
  return () => {
    deafToParent?.();
    process.off("SIGINT", hear);
    process.off("SIGTERM", hear);
    process.off("SIGHUP", ownerIsGone);
  };
}

function onParentEnd(ended: () => void): () => void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    ended();
  }, PARENT_CHECK_MS).unref();
  return () => clearInterval(timer);
}

export const signalExit = (signal: StopSignal): ExitName => (signal === "SIGINT" ? "interrupted" : "terminated");

/** Ends the process without waiting for anything. */
export function exitNow(signal: StopSignal): never {
  process.exit(EXIT_CODES[signalExit(signal)].code);
}
