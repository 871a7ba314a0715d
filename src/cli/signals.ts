import { EXIT_CODES, type ExitName } from "./exit-codes.ts";

export type StopSignal = "SIGINT" | "SIGTERM";

/**
 * Hears the signals that ask a process to end. The first one is the command's to answer; the second one means that
 * someone has waited long enough.
 *
 * @returns the way to stop hearing.
 */
export function onStopSignals(first: (signal: StopSignal) => void, second: (signal: StopSignal) => void = exitNow) {
  let heard = false;
  const hear = (signal: StopSignal) => {
    if (heard) return second(signal);
    heard = true;
    first(signal);
  };
  process.on("SIGINT", hear);
  process.on("SIGTERM", hear);
  return () => {
    process.off("SIGINT", hear);
    process.off("SIGTERM", hear);
  };
}

export const signalExit = (signal: StopSignal): ExitName => (signal === "SIGINT" ? "interrupted" : "terminated");

/** Ends the process without waiting for anything. */
export function exitNow(signal: StopSignal): never {
  process.exit(EXIT_CODES[signalExit(signal)].code);
}
