import { readdirSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { Role } from "../../src/cli/demo/plan.ts";
import type { Track } from "../../src/cli/demo/track.ts";
import { type Found, problemsOf } from "../../src/cli/demo/verify.ts";
import { ensureBuilt } from "../support/build.ts";
import { folderForTest, startForTest } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";

beforeAll(ensureBuilt, 150_000);

describe("capstan demo", () => {
  test("ends with a table in which everything is as it should be, and leaves nothing behind", {
    timeout: 90_000,
  }, async () => {
    const temporary = folderForTest();
    const demo = startForTest(["demo"], { env: { TMPDIR: temporary } });
    const { code, stdout, stderr } = await demo.ended;
    expect(stderr).toBe("");
    expect(stdout).toContain("worker alpha is killed in the middle");
    expect(stdout).toMatch(/goes on where alpha was cut off/);
    expect(stdout).toMatch(/alpha, (beta|gamma) .* taken over +✓/);
    expect(stdout).toMatch(/end_turn +stopped +✓/);
    expect(stdout).toMatch(/everything is as it should be\.\n$/);
    expect(stdout).not.toContain("\u001b");
    expect(code).toBe(0);
    expect(readdirSync(temporary)).toEqual([]);
  });

  test("ends everything that it started on Ctrl-C", { timeout: 60_000 }, async () => {
    const temporary = folderForTest();
    const demo = startForTest(["demo"], { env: { TMPDIR: temporary } });
    const [, url = ""] = await demo.find(/listens on (\S+)/);
    await demo.find(/alpha begins/);
    demo.child.kill("SIGINT");
    expect((await demo.ended).code).toBe(130);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    expect(readdirSync(temporary)).toEqual([]);
  });
});

test("a second Ctrl-C does not even wait for that", { timeout: 60_000 }, async () => {
  const temporary = folderForTest();
  const demo = startForTest(["demo"], { env: { TMPDIR: temporary } });
  const [, url = ""] = await demo.find(/listens on (\S+)/);
  await demo.find(/alpha begins/);
  demo.child.kill("SIGINT");
  await demo.find(/once more, and they are killed/);
  demo.child.kill("SIGINT");
  expect((await demo.ended).code).toBe(130);
  await eventually(() => expect(fetch(`${url}/healthz`)).rejects.toThrow());
  expect(readdirSync(temporary)).toEqual([]);
});

describe("the demo's own check", () => {
  const summary = (file: string) => ({ file, lines: 1, exports: 0, longest: { name: "none", lines: 0 } });
  const track = (role: Role, changes: Partial<Track> = {}): Track => ({
    job: { name: "core", folder: "/src/core", files: ["a.ts", "b.ts"], role, pauseMs: 0 },
    sessionId: "sess_1",
    lastEventId: undefined,
    filesDone: 2,
    workers: role === "killed" ? ["alpha", "beta"] : ["beta"],
    pid: undefined,
    rescheduled: role === "killed" ? 1 : 0,
    errors: [],
    ended: "end_turn",
    ...changes,
  });
  const found = (role: Role, changes: Partial<Found> = {}): Found => ({
    session: { status: "idle" },
    work: [
      { state: "stopped", stop_requested_at: "2026-07-01T12:00:00.000001Z", stopped_at: "2026-07-01T12:00:01.000000Z" },
    ],
    summaries: (role === "stopped" ? ["a.ts"] : ["a.ts", "b.ts"]).map(summary),
    reported: true,
    ...changes,
  });

  test("is content with each role as it should be", () => {
    for (const role of ["plain", "killed", "stopped"] as const)
      expect(problemsOf(track(role), found(role))).toEqual([]);
  });

  test.each<[string, Role, Partial<Track>, Partial<Found>, string]>([
    ["a session that still runs", "plain", {}, { session: { status: "running" } }, "is running, not idle"],
    ["another end of the turn", "plain", { ended: "cancelled" }, {}, "ended with cancelled"],
    ["an error", "plain", { errors: ["boom"] }, {}, "has errors: boom"],
    [
      "a takeover that was not meant to be",
      "plain",
      { workers: ["beta", "gamma"] },
      {},
      "worked on by beta, then gamma",
    ],
    ["a takeover that did not happen", "killed", { workers: ["alpha"] }, {}, "worked on by alpha"],
    ["a lease that did not end", "killed", { rescheduled: 0 }, {}, "lease ended 0 times, not 1"],
    ["two work items", "plain", {}, { work: [...found("plain").work, ...found("plain").work] }, "2 work items"],
    ["no work item", "plain", {}, { work: [] }, "no work item"],
    [
      "an item that was not stopped",
      "plain",
      {},
      { work: [{ state: "active", stop_requested_at: null, stopped_at: null }] },
      "is active",
    ],
    [
      "a stop that nobody asked for",
      "stopped",
      {},
      { work: [{ state: "stopped", stop_requested_at: null, stopped_at: "2026-07-01T12:00:01.000000Z" }] },
      "does not show the stop request",
    ],
    ["a stop that came too late", "stopped", {}, { summaries: ["a.ts", "b.ts"].map(summary) }, "2 of 2 files"],
    ["a file that is missing", "killed", {}, { summaries: [summary("a.ts")] }, "1 of 2 files"],
    ["a file that came twice", "killed", {}, { summaries: ["a.ts", "a.ts"].map(summary) }, "summarised twice"],
    ["a file that does not exist", "plain", {}, { summaries: ["a.ts", "x.ts"].map(summary) }, "not there"],
    ["a missing report", "plain", {}, { reported: false }, "no report"],
  ])("notices %s", (_what, role, trackChanges, foundChanges, problem) => {
    expect(problemsOf(track(role, trackChanges), found(role, foundChanges)).join()).toContain(problem);
  });
});
