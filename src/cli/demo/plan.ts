import { basename } from "node:path";
import { sourceFiles, sourceFolders } from "./sources.ts";

/**
 * What a session of the demo shows.
 * - `killed`: its first worker is killed in the middle; another one takes over
 * - `stopped`: it is asked to stop in the middle, and does
 * - `plain`: it runs to its end, beside others
 */
export type Role = "plain" | "killed" | "stopped";

export interface Job {
  readonly name: string;
  readonly folder: string;
  readonly files: readonly string[];
  readonly role: Role;
  /** Pause after each file. */
  readonly pauseMs: number;
}

/** About how long a session of each role is to take, when nothing happens to it. */
const WHOLE_MS: Readonly<Record<Role, number>> = { plain: 1_500, killed: 5_000, stopped: 20_000 };
/** The shorter roles are for the folders with most files, so that there is a middle in which something can happen. */
const ROLES: readonly Role[] = ["killed", "stopped"];

/** One session per source folder of this package. */
export function planJobs(): Job[] {
  const folders = sourceFolders().map((folder) => ({ folder, files: sourceFiles(folder) }));
  const byFiles = folders.toSorted((a, b) => b.files.length - a.files.length);
  return byFiles.map(({ folder, files }, index) => {
    const role = ROLES[index] ?? "plain";
    return { name: basename(folder), folder, files, role, pauseMs: Math.ceil(WHOLE_MS[role] / files.length) };
  });
}
