import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LogBuffer } from "../../src/server/log-buffer.ts";
import { eventually } from "../support/eventually.ts";

const line = (number: number, fill = "") => `${JSON.stringify({ level: "info", number, fill })}\n`;
const numbers = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((each) => JSON.parse(each).number);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "capstan-log-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("the log buffer", () => {
  it("writes every line once and in order, whatever characters it holds", async () => {
    const path = join(folder, "log");
    const file = openSync(path, "w");
    const log = new LogBuffer(file);
    for (const number of upTo(5_000)) log.write(line(number, "ein Stück 🧩"));
    await eventually(() => expect(numbers(readFileSync(path, "utf8"))).toEqual(upTo(5_000)));
    expect(readFileSync(path, "utf8")).toContain("ein Stück 🧩");
    closeSync(file);
  });

  it("writes a single line without being asked, and at once when asked", async () => {
    const path = join(folder, "log");
    const file = openSync(path, "w");
    const log = new LogBuffer(file);
    log.write(line(0));
    await eventually(() => expect(numbers(readFileSync(path, "utf8"))).toEqual([0]));
    log.write(line(1));
    log.flush();
    await eventually(() => expect(numbers(readFileSync(path, "utf8"))).toEqual([0, 1]));
    closeSync(file);
  });

  it("keeps what a reader who stands still has no room for, up to its bound, and says how much it dropped", async () => {
    const path = join(folder, "pipe");
    execFileSync("mkfifo", [path]);
    const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const log = new LogBuffer(pipe, 200_000);
    const kilobyte = "x".repeat(1_024);
    const written = 1_000;
    for (const number of upTo(written)) log.write(line(number, kilobyte));
    log.flush();
    let text = "";
    const chunk = Buffer.alloc(65_536);
    await eventually(() => {
      text += chunk.toString("latin1", 0, readSync(pipe, chunk));
      expect(text).toContain('"dropped"');
    });
    const lines = text.trimEnd().split("\n");
    const { dropped } = JSON.parse(lines.pop() ?? "");
    expect(dropped).toBeGreaterThan(0);
    expect(numbers(lines.join("\n"))).toEqual(upTo(written - dropped));
    closeSync(pipe);
  });
});
