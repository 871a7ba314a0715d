import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** Loaded at the first TypeScript file only: most test files never come here, and vite is slow to load. */
let vite;

export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return nextLoad(url, context);
  vite ??= import("vite");
  const path = fileURLToPath(url);
  const { code } = await (await vite).transformWithOxc(await readFile(path, "utf8"), path);
  return { format: "module", source: code, shortCircuit: true };
}
