/**
 * What the workers of `capstan demo` run for each session: summarises the source files of one folder into a report.
 *
 * It writes down each file as soon as it is done, in the session's own folder. So a worker that takes a session over goes
 * on where the one before it was cut off, and one that is asked to stop leaves what it has.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { processEnvironment } from "../../config/environment.ts";
import { type FileSummary, PROGRESS_FILE, REPORT_FILE, summarise } from "./sources.ts";

/** The message that `capstan demo` sends: what is to be done stands beside its text. */
export interface Assignment {
  readonly folder: string;
  readonly files: readonly string[];
  readonly pause_ms: number;
}

const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());

const turn = JSON.parse(readFileSync(0, "utf8")) as { readonly events: readonly [Assignment] };
const { folder, files, pause_ms: pauseMs } = turn.events[0];
const done: FileSummary[] = existsSync(PROGRESS_FILE)
  ? readFileSync(PROGRESS_FILE, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
  : [];
const missing = files.filter((file) => !done.some((summary) => summary.file === file));
if (done.length > 0) say(`Going on after ${done.length} of ${files.length} files.`);

for (const file of missing) {
  if (stop.signal.aborted) break;
  const summary = summarise(folder, file);
  appendFileSync(PROGRESS_FILE, `${JSON.stringify(summary)}\n`);
  done.push(summary);
  const { lines, exports, longest } = summary;
  say(
    `${file}: ${lines} lines, ${exports} exports, longest function ${longest.name} with ${longest.lines} lines`,
    done.length,
  );
  // Slow enough to be watched, and to be cut off in the middle.
  await sleep(pauseMs, undefined, { signal: stop.signal }).catch(() => undefined);
}

const rows = done.map(
  ({ file, lines, exports, longest }) => `| ${file} | ${lines} | ${exports} | ${longest.name} (${longest.lines}) |`,
);
const title =
  done.length === files.length ? folder : `${folder} (stopped after ${done.length} of ${files.length} files)`;
writeFileSync(
  REPORT_FILE,
  `# ${title}\n\n| File | Lines | Exports | Longest function |\n| --- | --- | --- | --- |\n${rows.join("\n")}\n`,
);
say(`${REPORT_FILE} holds ${done.length} of ${files.length} files.`);

/** One event of the session: what happened, and who says so. */
function say(text: string, filesDone?: number): void {
  const content = [{ type: "text", text }];
  const facts = { worker: processEnvironment().CAPSTAN_WORKER_ID, pid: process.pid, files_done: filesDone };
  console.log(JSON.stringify({ type: "agent.message", content, ...facts }));
}
