import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LogBuffer } from "../../src/server/log-buffer.ts";
import { type RequestLine, RequestLog } from "../../src/server/request-log.ts";
import { eventually } from "../support/eventually.ts";

const LINE: RequestLine = {
  requestId: "7d1c5a52-4a3c-4d0e-9f53-0b7c0f7f0c11",
  method: "GET",
  path: "/api/v1/cloud/sessions",
  operation: "listSessions",
  status: 200,
  ms: 1.5,
  caller: undefined,
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "capstan-log-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What somebody who reads the log as JSON lines gets. */
async function written(lines: readonly RequestLine[]): Promise<Record<string, unknown>[]> {
  const path = join(folder, "log");
  const file = openSync(path, "w");
  const buffer = new LogBuffer(file);
  const log = new RequestLog("info", buffer, () => ',"time":"2026-01-02T03:04:05.678Z"');
  for (const line of lines) log.write(line);
  buffer.flush();
  const texts = await eventually(() => {
    const all = readFileSync(path, "utf8").split("\n");
    expect(all).toHaveLength(lines.length + 1);
    return all.slice(0, -1);
  });
  closeSync(file);
  return texts.map((text) => JSON.parse(text));
}

describe("the line of a request", () => {
  it("has the same fields as every other line of the log", async () => {
    expect(await written([{ ...LINE, caller: "tok_1" }])).toEqual([
      {
        level: "info",
        time: "2026-01-02T03:04:05.678Z",
        request_id: LINE.requestId,
        method: "GET",
        path: "/api/v1/cloud/sessions",
        operation: "listSessions",
        status: 200,
        ms: 1.5,
        caller: "tok_1",
        msg: "request",
      },
    ]);
  });

  it("holds whatever a caller sends as path and request id, without being broken by it", async () => {
    const texts = ['/a"b\\c', "/tab\there\u0000\u007f", "/Stück", "/🧩", "/half\ud83e", '"},{"level":"fatal"', "/a\nb"];
    const read = await written(texts.map((text) => ({ ...LINE, path: text, requestId: text })));
    expect(read.map(({ path }) => path)).toEqual(texts);
    expect(read.map(({ request_id }) => request_id)).toEqual(texts);
  });

  it("tells the time of a request in milliseconds with two decimals", async () => {
    const times = fc.sample(fc.double({ min: 0, max: 1e7, noNaN: true }), { numRuns: 500, seed: 1 });
    const all = [0, 0.004, 0.005, 0.05, 0.1, 0.99, 0.999, 1, 10, 12.34, 12.3, 12.04, 59_999.995, ...times];
    const read = await written(all.map((ms) => ({ ...LINE, ms })));
    expect(read.map(({ ms }) => ms)).toEqual(all.map((ms) => Math.round(ms * 100) / 100));
  });
});
