import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/queue.ts";
import { toolsForTest } from "./support.ts";

test("a file is written with its folders, read, and edited", async () => {
  const { use, workspace } = await toolsForTest();
  expect(await use("write", { path: "src/a/b.txt", content: "one\ntwo €\nthree\n" })).toBe(
    "18 bytes written to src/a/b.txt.",
  );
  expect(await use("read", { path: "src/a/b.txt" })).toBe("one\ntwo €\nthree\n");
  expect(await use("read", { path: "src/a/b.txt", offset: 2, limit: 1 })).toBe(
    "two €\n\n[the file goes on: read from offset 3]",
  );
  expect(await use("edit", { path: "src/a/b.txt", old_text: "two", new_text: "2 $& $1" })).toBe(
    "1 place replaced in src/a/b.txt.",
  );
  expect(readFileSync(join(workspace, "src/a/b.txt"), "utf8")).toBe("one\n2 $& $1 €\nthree\n");
  expect(await use("write", { path: join(workspace, "src/a/b.txt"), content: "short" })).toContain("5 bytes");
  expect(await use("read", { path: "./src/../src/a/b.txt" })).toBe("short");
});

test("an edit that is not clear changes nothing and says what to do", async () => {
  const { use, workspace } = await toolsForTest();
  await writeFile(join(workspace, "f"), "aa bb aa");
  expect(await use("edit", { path: "f", old_text: "cc", new_text: "x" })).toContain("does not contain this text");
  expect(await use("edit", { path: "f", old_text: "aa", new_text: "x" })).toContain("2 times");
  expect(readFileSync(join(workspace, "f"), "utf8")).toBe("aa bb aa");
  expect(await use("edit", { path: "f", old_text: "aa", new_text: "x", replace_all: true })).toContain("2 places");
  expect(readFileSync(join(workspace, "f"), "utf8")).toBe("x bb x");
  await writeFile(join(workspace, "binary"), Buffer.from([0x61, 0xff, 0x62]));
  expect(await use("edit", { path: "binary", old_text: "a", new_text: "x" })).toContain("no UTF-8 text");
  expect(readFileSync(join(workspace, "binary"))).toEqual(Buffer.from([0x61, 0xff, 0x62]));
});

/** A workspace with every way out of it, and a folder outside with a secret. */
async function withWaysOut() {
  const scene = await toolsForTest();
  const outside = await temporaryFolder();
  await writeFile(join(outside, "secret.txt"), "not for you");
  await mkdir(join(scene.workspace, "inner"));
  await symlink(outside, join(scene.workspace, "folder-link"));
  await symlink(join(outside, "secret.txt"), join(scene.workspace, "file-link"));
  await symlink(join(outside, "made.txt"), join(scene.workspace, "dangling"));
  await symlink("../..", join(scene.workspace, "inner", "up"));
  await symlink("loop", join(scene.workspace, "loop"));
  await symlink("inner", join(scene.workspace, "inner-link"));
  return { ...scene, outside };
}

test.each([
  "../secret.txt",
  "/etc/passwd",
  "inner/../../x",
  "file-link",
  "folder-link/secret.txt",
  "inner/up/x",
  "dangling",
  "loop",
  "inner/up",
  "a\0b",
])("the path %j leads nowhere, whatever is done with it", async (path) => {
  const { use, outside } = await withWaysOut();
  for (const [name, input] of [
    ["read", {}],
    ["write", { content: "planted" }],
    ["edit", { old_text: "not", new_text: "planted" }],
    ["glob", { pattern: "**" }],
    ["grep", { pattern: "." }],
  ] as const) {
    const said = await use(name, { ...input, path });
    expect(said, name).toMatch(/^error: /);
    expect(said, name).not.toContain("not for you");
  }
  expect(readFileSync(join(outside, "secret.txt"), "utf8")).toBe("not for you");
  expect(existsSync(join(outside, "made.txt"))).toBe(false);
  expect(existsSync(join(outside, "x"))).toBe(false);
});

test("a link that stays in the workspace is followed", async () => {
  const { use, workspace } = await withWaysOut();
  await use("write", { path: "inner-link/a.txt", content: "inside" });
  expect(readFileSync(join(workspace, "inner", "a.txt"), "utf8")).toBe("inside");
  expect(await use("read", { path: "inner-link/a.txt" })).toBe("inside");
});

test("while a folder is swapped for a link, no read and no write ever goes through that", async () => {
  const { use, workspace, outside } = await withWaysOut();
  const before = statSync(join(outside, "secret.txt")).mtimeMs;
  await mkdir(join(workspace, "way"));
  await writeFile(join(workspace, "way", "secret.txt"), "inside: for");
  const swapping = `
    const { existsSync, renameSync } = require("node:fs");
    while (!existsSync("stop")) {
      renameSync("way", "folder");
      renameSync("folder-link", "way");
      renameSync("way", "folder-link");
      renameSync("folder", "way");
    }`;
  const swapped = once(spawn(process.execPath, ["-e", swapping], { cwd: workspace }), "exit");
  const seen = new Set<string>();
  for (let index = 0; index < 2_000; index += 1) {
    seen.add(await use("read", { path: "way/secret.txt" }));
    await use("edit", { path: "way/secret.txt", old_text: "for", new_text: "for" });
    expect(readFileSync(join(outside, "secret.txt"), "utf8")).toBe("not for you");
  }
  await writeFile(join(workspace, "stop"), "");
  expect(await swapped).toEqual([0, null]);
  expect([...seen].filter((text) => !text.startsWith("error: "))).toEqual(["inside: for"]);
  expect(statSync(join(outside, "secret.txt")).mtimeMs).toBe(before);
});

test("what is no file is not read, and waits for nobody", async () => {
  const { use, workspace } = await toolsForTest();
  execFileSync("mkfifo", [join(workspace, "pipe")]);
  await mkdir(join(workspace, "folder"));
  expect(await use("read", { path: "pipe" })).toBe("error: pipe is not a regular file.");
  expect(await use("write", { path: "pipe", content: "x" })).toBe("error: pipe is not a regular file.");
  expect(await use("read", { path: "folder" })).toBe("error: folder is not a regular file.");
  expect(await use("read", { path: "." })).toMatch(/^error: /);
  expect(await use("read", { path: "none" })).toBe("error: none does not exist.");
  expect(await use("read", { path: "pipe/x" })).toContain("not a folder");
});

test("a large file is read in parts, and a binary one is named as that", async () => {
  const { use, workspace } = await toolsForTest();
  await writeFile(join(workspace, "lines"), Array.from({ length: 5_000 }, (_, n) => `line ${n + 1}\n`).join(""));
  const first = await use("read", { path: "lines" });
  expect(first.split("\n").slice(0, 2)).toEqual(["line 1", "line 2"]);
  expect(first).toContain("[the file goes on: read from offset 2001]");
  expect(await use("read", { path: "lines", offset: 4_999 })).toBe("line 4999\nline 5000\n");
  expect(await use("read", { path: "lines", offset: 9_999 })).toContain("fewer than 9999 lines");
  await writeFile(join(workspace, "one-line"), "x".repeat(3_000_000));
  expect((await use("read", { path: "one-line" })).length).toBeLessThan(263_000);
  await writeFile(join(workspace, "binary"), Buffer.from([1, 2, 0, 3]));
  expect(await use("read", { path: "binary" })).toBe(
    "error: binary is a binary file of 4 bytes: use bash to look into it.",
  );
});

test("a workspace that is deleted underneath is an error to whoever uses a tool, and nothing else", async () => {
  const { use, workspace } = await toolsForTest();
  await rm(workspace, { recursive: true });
  for (const name of ["read", "write", "edit", "glob", "grep"]) {
    const input = { path: "x", content: "", old_text: "a", new_text: "", pattern: "x" };
    expect(await use(name, input), name).toBe("error: The workspace does not exist any more.");
  }
  expect(await use("bash", { command: "true" })).toMatch(/^error: .*cannot be started/);
});

test("files are made for their owner's eyes as the process's mask says, and keep what they may", async () => {
  const { use, workspace } = await toolsForTest();
  await writeFile(join(workspace, "run.sh"), "old", { mode: 0o755 });
  await use("write", { path: "run.sh", content: "new" });
  expect(statSync(join(workspace, "run.sh")).mode & 0o777).toBe(0o755);
});
