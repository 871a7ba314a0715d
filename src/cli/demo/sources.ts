import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** In the session's folder: a summary per line, as soon as it is done; and what is made of them at the end. */
export const PROGRESS_FILE = "summaries.jsonl";
export const REPORT_FILE = "report.md";

export interface FileSummary {
  readonly file: string;
  readonly lines: number;
  readonly exports: number;
  readonly longest: { readonly name: string; readonly lines: number };
}

const isSource = (name: string): boolean => /\.(ts|js)$/.test(name) && !name.endsWith(".d.ts");

/** The source files below a folder, in a fixed order. */
export function sourceFiles(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile() && isSource(entry.name));
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort();
}

/** Folders with source files of this package: the sources where they are, else what was built from them. */
export function sourceFolders(): string[] {
  const root = fileURLToPath(new URL("../../..", import.meta.url));
  const base = ["src", "dist"].map((name) => join(root, name)).find((path) => existsSync(path)) ?? root;
  const folders = readdirSync(base, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map((entry) => join(base, entry.name)).filter((folder) => sourceFiles(folder).length > 0);
}

export function summarise(folder: string, file: string): FileSummary {
  const lines = readFileSync(join(folder, file), "utf8").trimEnd().split("\n");
  const exports = lines.filter((line) => /^export\b/.test(line)).length;
  return { file, lines: lines.length, exports, longest: longestFunction(lines) };
}

const NAMED_FUNCTION = /^\s*(?:export )?(?:default )?(?:async )?function\*? (\w+)/;
const ARROW_FUNCTION = /^\s*(?:export )?const (\w+) = (?:async )?(?:<.*>)?\(.*=> \{$/;
const METHOD = /^\s+(?:static |async |get |set |override |\*)*(#?\w+)\(.*\{$/;
const NO_METHODS = new Set(["if", "for", "while", "switch", "catch", "function"]);

/** By indentation, which formatted code can be trusted with: a function ends at the brace that stands where it began. */
function longestFunction(lines: readonly string[]): { name: string; lines: number } {
  let longest = { name: "none", lines: 0 };
  for (const [index, line] of lines.entries()) {
    const name = (NAMED_FUNCTION.exec(line) ?? ARROW_FUNCTION.exec(line) ?? METHOD.exec(line))?.[1];
    if (name === undefined || NO_METHODS.has(name)) continue;
    const indent = line.length - line.trimStart().length;
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${" ".repeat(indent)}}`));
    if (end >= 0 && end - index + 1 > longest.lines) longest = { name, lines: end - index + 1 };
  }
  return longest;
}
