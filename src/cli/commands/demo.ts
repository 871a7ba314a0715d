import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Children } from "../demo/children.ts";
import { Display } from "../demo/display.ts";
import { planJobs } from "../demo/plan.ts";
import { play } from "../demo/play.ts";
import { resultTable } from "../demo/result-table.ts";
import { setStage } from "../demo/stage.ts";
import { type Result, verify } from "../demo/verify.ts";
import type { ExitName } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { paint } from "../output/colour.ts";
import { onStopSignals, type StopSignal, signalExit } from "../signals.ts";
import { command } from "../spec.ts";

/** How long the processes may take to end, once all is seen. */
const END_MS = 8_000;

export const demo = command({
  path: "demo",
  summary: "See the main job from nothing to a result table, in under a minute",
  details: `Starts a server and workers as processes of their own, with data in a temporary folder, and lets them summarise the source
files of this package: one session per folder, in parallel. One worker is killed in the middle and another takes its session
over; one session is asked to stop in the middle, and does. Everything is then checked through the API; anything that is not
as it should be ends the demo with exit code 1.`,
  group: "none",
  examples: [{ command: "capstan demo", does: "Nothing is left behind" }],
  exits: ["interrupted", "terminated"],
  async run({ io }) {
    const folder = mkdtempSync(join(tmpdir(), "capstan-demo-"));
    const children = new Children(io.environment);
    const display = new Display(io.out);
    const stop = new AbortController();
    let signalled: StopSignal | undefined;
    const remove = () => rmSync(folder, { recursive: true, force: true });
    process.once("exit", remove);
    const deaf = onStopSignals((signal) => {
      signalled = signal;
      display.tell("ending the workers and the server; once more, and they are killed");
      stop.abort();
    });
    try {
      const stage = await setStage(children, folder);
      display.tell(`the server listens on ${stage.url}`);
      const tracks = await play(stage, display, planJobs(), stop.signal);
      const results = await verify(stage.client, stage.environmentId, tracks, stage.workspaceRoot);
      display.tell("all sessions have ended; the workers and the server are told to end");
      const unwell = await children.end(END_MS);
      return report(io, results, unwell, display.seconds);
    } catch (error) {
      if (signalled === undefined) throw error;
      return signalExit(signalled);
    } finally {
      display.clear();
      await children.end(END_MS);
      deaf();
      remove();
      process.off("exit", remove);
    }
  },
});

function report(io: Io, results: readonly Result[], unwell: readonly string[], seconds: number): ExitName {
  io.out.write(`\n${resultTable(io.out, results)}\n`);
  const problems = [
    ...results.flatMap(({ track, problems }) => problems.map((problem) => `${track.job.name}: ${problem}`)),
    ...unwell.map((name) => `the ${name} did not end with exit code 0 when it was told to`),
  ];
  for (const problem of problems) io.out.write(`${paint(io.out, "red", "✗")} ${problem}\n`);
  const files = results.reduce((sum, { summaries }) => sum + summaries.length, 0);
  const verdict = problems.length === 0 ? "everything is as it should be" : "not everything is as it should be";
  io.out.write(`${results.length} sessions, ${files} files, ${seconds.toFixed(1)} s: ${verdict}.\n`);
  return problems.length === 0 ? "ok" : "failed";
}
