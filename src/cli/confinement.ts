import { accessSync, constants, existsSync, statSync } from "node:fs";
import { delimiter, isAbsolute, join, resolve } from "node:path";
import type { SettingsFor } from "../config/resolve.ts";
import { someText } from "../config/schemas.ts";
import type { Confinement } from "../worker/index.ts";
import { CommandError } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { note } from "./output/note.ts";
import type { OptionValues } from "./spec.ts";

export const SANDBOX_OPTIONS = {
  sandboxNetwork: {
    kind: "switch",
    flags: "--sandbox-network",
    summary: "Let the command in the sandbox use the network; otherwise it has none.",
  },
  sandboxRead: {
    kind: "values",
    flags: "--sandbox-read <path>",
    summary: "What else the command in the sandbox may read, any number of times.",
    schema: someText("a path"),
  },
} as const;

type Settings = Pick<SettingsFor<"worker">, "sandbox" | "memoryMb" | "maxProcesses" | "cpuSeconds">;

/** A program that is named by its path lies where the command line was written, not where the command will run. */
export function locatedCommand([program = "", ...args]: readonly string[]): readonly string[] {
  return [program.includes("/") ? resolve(program) : program, ...args];
}

/** Says so when the program cannot be found now. It may still come: a setup script can install it. */
export function noteMissingProgram(io: Io, [program = ""]: readonly string[]): void {
  const places = program.includes("/")
    ? [program]
    : (io.environment.PATH ?? "").split(delimiter).map((folder) => join(folder, program));
  if (places.some(isExecutable)) return;
  const there = places.find((place) => existsSync(place));
  if (there !== undefined) {
    const what = statSync(there).isDirectory() ? "is a folder and no program" : "is not executable yet";
    note(io, `${there} ${what}: as long as that is so, every session that comes fails.`);
    return;
  }
  const where = program.includes("/") ? "" : " in PATH";
  note(io, `There is no program ${program}${where} yet: until there is, every session that comes fails.`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    // A folder has that permission too.
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * What the command may see and use, after it was tried that this machine can enforce it.
 *
 * @throws CommandError when it cannot, and when the command would not find its own program
 */
export async function confinement(
  io: Io,
  settings: Settings,
  options: OptionValues<typeof SANDBOX_OPTIONS>,
  [program = ""]: readonly string[],
): Promise<Confinement> {
  const { sandbox, memoryMb, maxProcesses, cpuSeconds } = settings;
  const { sandboxNetwork, sandboxRead } = options;
  if (sandbox === "none" && (sandboxNetwork || sandboxRead.length > 0)) {
    throw new CommandError("usage", "--sandbox-network and --sandbox-read only mean something with --sandbox bwrap.");
  }
  const readable = sandboxRead.map((path) => resolve(path));
  const absent = readable.find((path) => !existsSync(path));
  if (absent !== undefined)
    throw new CommandError("usage", `--sandbox-read ${absent}: there is no such file or folder.`);
  const { isVisible } = await import("../worker/index.ts");
  if (sandbox === "bwrap" && isAbsolute(program) && !isVisible(program, readable)) {
    const message = `The command would not see its own program ${program} in the sandbox.`;
    throw new CommandError("usage", message, `Show it: --sandbox-read ${resolve(program, "..")}`);
  }
  await checkProtections(io, settings);
  return { sandbox, network: sandboxNetwork, readable, memoryMb, processes: maxProcesses, cpuSeconds };
}

async function checkProtections(io: Io, { sandbox, memoryMb, maxProcesses, cpuSeconds }: Settings): Promise<void> {
  const asked = {
    sandbox: sandbox === "bwrap",
    memory: memoryMb !== undefined,
    cpu: cpuSeconds !== undefined,
    processes: maxProcesses !== undefined,
    duration: false,
  };
  if (!Object.values(asked).includes(true)) return;
  const { probeProtections } = await import("../worker/index.ts");
  for (const { name, inForce, message } of await probeProtections()) {
    if (!asked[name] || inForce) continue;
    // The one that the kernel does not offer to everybody: better run without it, and say so, than not at all.
    if (name === "processes") io.err.write(`${message}\n`);
    else throw new CommandError("failed", message, "`capstan doctor` shows what works on this machine.");
  }
}
