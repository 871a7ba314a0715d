import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { globMatcher } from "../../../src/worker/tools/glob-pattern.ts";
import { temporaryFolder } from "../support/queue.ts";
import { toolsForTest } from "./support.ts";

describe("a pattern of paths", () => {
  test.each<[string, string[], string[]]>([
    ["*.ts", ["a.ts", ".ts"], ["a/b.ts", "a.tsx"]],
    ["**/*.ts", ["a.ts", "a/b.ts", "a/b/c.ts"], ["a.js"]],
    ["src/**", ["src/a", "src/a/b"], ["other/src/a", "src2/a"]],
    ["src/**/test/*.ts", ["src/test/a.ts", "src/x/y/test/a.ts"], ["src/test/x/a.ts"]],
    ["a?c", ["abc", "a€c"], ["ac", "a/c"]],
    ["[a-c]x[!0-9]", ["axy", "cx-"], ["dxy", "ax1"]],
    ["[]-]", ["]", "-"], ["x"]],
    ["{a,b{1,2}}/*.{js,ts}", ["a/x.js", "b2/y.ts"], ["b/x.js", "b3/x.ts"]],
    ["a{,b}c", ["ac", "abc"], ["abbc"]],
    ["a+(b).c", ["a+(b).c"], ["aab.c", "a+(b)xc"]],
    ["a**b", ["ab", "axxb"], ["a/b"]],
    ["**", ["a", "a/b"], []],
  ])("%s", (pattern, matching, others) => {
    const matches = globMatcher(pattern);
    expect(matching.filter((path) => !matches(path))).toEqual([]);
    expect(others.filter((path) => matches(path))).toEqual([]);
  });

  test("that would take a regular expression for ever takes no time", () => {
    const startedAt = performance.now();
    expect(globMatcher(`${"*a".repeat(200)}b`)("a".repeat(4_000))).toBe(false);
    expect(globMatcher(`${"**/a/".repeat(200)}b`)("a/".repeat(2_000))).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  test("that is not closed, or stands for too many, is refused", () => {
    expect(() => globMatcher("{a,b")).toThrow("a { is not closed");
    expect(() => globMatcher("{a,b}".repeat(8))).toThrow("more than 64 patterns");
  });
});

async function filled(files: Readonly<Record<string, string>>) {
  const scene = await toolsForTest();
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(scene.workspace, path)), { recursive: true });
    await writeFile(join(scene.workspace, path), content);
  }
  return scene;
}

test("glob lists what matches, in order, and follows no link", async () => {
  const { use, workspace } = await filled({
    "b.ts": "",
    "a/c.ts": "",
    "a/d.js": "",
    ".git/x.ts": "",
    "node_modules/y.ts": "",
  });
  const outside = await temporaryFolder();
  await writeFile(join(outside, "secret.ts"), "");
  await symlink(outside, join(workspace, "link"));
  expect(await use("glob", { pattern: "**/*.ts" })).toBe("a/c.ts\nb.ts");
  expect(await use("glob", { pattern: "*", path: "a" })).toBe("a/c.ts\na/d.js");
  expect(await use("glob", { pattern: "*.py" })).toBe("No file matches.");
  expect(await use("glob", { pattern: "{" })).toBe("error: The pattern cannot be used: a { is not closed.");
  expect(await use("glob", { pattern: "*", path: "b.ts" })).toBe("error: b.ts is not a folder.");
});

test("glob stops at a bound, and says so", async () => {
  const { use } = await filled(Object.fromEntries(Array.from({ length: 1_100 }, (_, n) => [`f${n}`, ""])));
  const lines = (await use("glob", { pattern: "*" })).split("\n");
  expect(lines).toHaveLength(1_001);
  expect(lines.at(-1)).toBe("[stopped after 1000: narrow the pattern]");
});

test("grep finds lines with their place, in text files, and follows no link", async () => {
  const { use, workspace } = await filled({
    "a/one.ts": "x\nneedle here\n",
    "two.js": "Needle\n",
    "binary.bin": "needle\0",
    ".git/config": "needle",
  });
  const outside = await temporaryFolder();
  await writeFile(join(outside, "secret"), "needle outside");
  await symlink(join(outside, "secret"), join(workspace, "link"));
  await symlink(outside, join(workspace, "folder"));
  expect(await use("grep", { pattern: "needle" })).toBe("a/one.ts:2:needle here\n");
  const lines = (await use("grep", { pattern: "^needle", ignore_case: true })).trimEnd().split("\n");
  expect(lines.sort()).toEqual(["a/one.ts:2:needle here", "two.js:1:Needle"]);
  expect(await use("grep", { pattern: "needle", ignore_case: true, include: "*.js" })).toBe("two.js:1:Needle\n");
  expect(await use("grep", { pattern: "needle", path: "a/one.ts" })).toBe("a/one.ts:2:needle here\n");
  expect(await use("grep", { pattern: "nothing" })).toBe("No line matches.");
  expect(await use("grep", { pattern: "--help" })).toBe("No line matches.");
  expect(await use("grep", { pattern: "(" })).toMatch(/^error: grep: /);
});
