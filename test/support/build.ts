import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Touched after each build. */
const STAMP = join(ROOT, "dist", ".built");
const LOCK = join(ROOT, "node_modules", ".capstan-build");
const BUILD_MS = 120_000;

const run = promisify(execFile);

/**
 * For tests that run what is shipped: builds `dist/` unless it is newer than every source. Test files run in parallel, so
 * one of them builds and the others wait for it. Type errors are the type check's business, as everywhere in the tests.
 */
export async function ensureBuilt(): Promise<void> {
  await eventually(() => lock(), BUILD_MS);
  try {
    const began = new Date();
    if (newest(join(ROOT, "src")) < modified(STAMP)) return;
    const typescript = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    const problems = await run(process.execPath, [typescript, "-p", "tsconfig.build.json"], { cwd: ROOT }).catch(
      (failure: { stdout: string }) => failure.stdout,
    );
    if (modified(join(ROOT, "dist", "cli", "main.js")) === 0) throw new Error(`The build failed: ${problems}`);
    await run(process.execPath, [join(ROOT, "scripts", "finish-build.mjs")]);
    writeFileSync(STAMP, began.toISOString());
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

/** A folder can be made by one process only; one that was left behind by a killed run is taken over. */
function lock(): void {
  const since = modified(LOCK);
  if (since > 0 && Date.now() - since > BUILD_MS) rmSync(LOCK, { recursive: true, force: true });
  mkdirSync(LOCK);
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newest(folder: string): number {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  return Math.max(...entries.map((entry) => modified(join(entry.parentPath, entry.name))));
}
