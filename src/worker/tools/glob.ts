import { opendir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { z } from "zod";
import { locate } from "./confined.ts";
import { globMatcher } from "./glob-pattern.ts";
import { ToolError, tool } from "./tool.ts";

const MAX_FOUND = 1_000;
const MAX_VISITED = 200_000;
/** Not what anybody looks for, and by far the most of what there is. */
const SKIPPED: ReadonlySet<string> = new Set([".git", "node_modules"]);

export const glob = tool({
  name: "glob",
  description: `Lists the files of the workspace whose paths match a pattern, at most ${MAX_FOUND}. Links are not followed; ${[...SKIPPED].join(" and ")} are left out.`,
  schema: z.object({
    pattern: z
      .string()
      .min(1)
      .max(1_000)
      .describe("Such as **/*.ts or src/{a,b}/*: * within a folder, ** over any number."),
    path: z.string().optional().describe("The folder to look in. Default: the whole workspace."),
  }),
  async run({ pattern, path = "." }, { workspace, signal }) {
    const matches = matcherOf(pattern);
    const root = await locate(workspace, ".");
    const start = await locate(workspace, path);
    const found: string[] = [];
    let visited = 0;
    const folders = [start];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      for await (const entry of await opened(folder, path)) {
        signal.throwIfAborted();
        visited += 1;
        if (visited > MAX_VISITED) return listed(found, `stopped after ${MAX_VISITED} files: look in a folder`);
        const at = join(folder, entry.name);
        if (entry.isDirectory() && !SKIPPED.has(entry.name)) folders.push(at);
        if (entry.isDirectory() || !matches(relative(start, at).split(sep).join("/"))) continue;
        found.push(relative(root, at));
        if (found.length === MAX_FOUND) return listed(found, `stopped after ${MAX_FOUND}: narrow the pattern`);
      }
    }
    return listed(found);
  },
});

function matcherOf(pattern: string): (path: string) => boolean {
  try {
    return globMatcher(pattern);
  } catch (failure) {
    throw new ToolError(`The pattern cannot be used: ${(failure as Error).message}.`);
  }
}

/** A folder that went away meanwhile, or may not be read, has nothing in it. */
async function opened(folder: string, path: string) {
  try {
    return await opendir(folder);
  } catch (failure) {
    const { code } = failure as NodeJS.ErrnoException;
    if (code === "ENOTDIR") throw new ToolError(`${path} is not a folder.`);
    if (code === "ENOENT" || code === "EACCES") return [];
    throw failure;
  }
}

function listed(found: readonly string[], note?: string): string {
  const lines = [...found].sort();
  if (note !== undefined) lines.push(`[${note}]`);
  return lines.length === 0 ? "No file matches." : lines.join("\n");
}
