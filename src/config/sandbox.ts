import { choice, wholeNumber } from "./schemas.ts";
import type { Setting } from "./setting.ts";

const setting = <const T extends Setting>(definition: T) => definition;

const DAY_SECONDS = 86_400;

/** What the command of a worker may see and use. */
export const SANDBOX_SETTINGS = {
  sandbox: setting({
    flag: "--sandbox",
    variable: "CAPSTAN_SANDBOX",
    placeholder: "<how>",
    default: "none",
    schema: choice(["none", "bwrap"]),
    summary:
      "With bwrap, the command sees its session's folder, the system read-only and a /tmp of its own, and nothing else.",
    groups: ["worker", "attach"],
  }),
  memoryMb: setting({
    flag: "--memory-mb",
    variable: "CAPSTAN_MEMORY_MB",
    placeholder: "<MiB>",
    schema: wholeNumber(16, 1_048_576),
    summary: "Memory that each process of the command may allocate for itself; left out, as much as there is.",
    groups: ["worker", "attach"],
  }),
  maxProcesses: setting({
    flag: "--max-processes",
    variable: "CAPSTAN_MAX_PROCESSES",
    placeholder: "<count>",
    schema: wholeNumber(1, 1_000_000),
    summary:
      "Processes and threads that the worker's user may have at once, all of its programs counted; root has no such limit.",
    groups: ["worker", "attach"],
  }),
  cpuSeconds: setting({
    flag: "--cpu-seconds",
    variable: "CAPSTAN_CPU_SECONDS",
    placeholder: "<seconds>",
    schema: wholeNumber(1, 7 * DAY_SECONDS),
    summary: "Processor time of each process of the command; left out, without limit.",
    groups: ["worker", "attach"],
  }),
  maxTurnSeconds: setting({
    flag: "--max-turn-seconds",
    variable: "CAPSTAN_MAX_TURN_SECONDS",
    placeholder: "<seconds>",
    schema: wholeNumber(1, 7 * DAY_SECONDS),
    summary: "How long one turn may take before the command is told to end; left out, as long as it likes.",
    groups: ["worker", "attach"],
  }),
} as const;
