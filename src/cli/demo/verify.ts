import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CapstanClient, Session, Work } from "../../client/index.ts";
import { type FileSummary, PROGRESS_FILE, REPORT_FILE } from "./sources.ts";
import type { Track } from "./track.ts";

/** What became of a session, and everything about it that is not as it should be. */
export interface Result {
  readonly track: Track;
  readonly summaries: readonly FileSummary[];
  readonly work: readonly Work[];
  readonly problems: readonly string[];
}

/** Looks at each session once more, through the API and in the folder that its workers shared. */
export async function verify(
  client: CapstanClient,
  environmentId: string,
  tracks: readonly Track[],
  workspaceRoot: string,
): Promise<Result[]> {
  const items: Work[] = [];
  for await (const item of client.paginate("listWork", { environment_id: environmentId })) items.push(item);
  return Promise.all(
    tracks.map(async (track) => {
      const session = await client.getSession({ session_id: track.sessionId });
      const work = items.filter(({ data }) => data.id === track.sessionId);
      const folder = join(workspaceRoot, track.sessionId);
      const summaries = readSummaries(join(folder, PROGRESS_FILE));
      const reported = existsSync(join(folder, REPORT_FILE));
      return { track, summaries, work, problems: problemsOf(track, { session, work, summaries, reported }) };
    }),
  );
}

export interface Found {
  readonly session: Pick<Session, "status">;
  readonly work: readonly Pick<Work, "state" | "stop_requested_at" | "stopped_at">[];
  readonly summaries: readonly FileSummary[];
  readonly reported: boolean;
}

/** Everything that is not as the session's role in the demo wants it. */
export const problemsOf = (track: Track, { session, work, summaries, reported }: Found): string[] => [
  ...sessionProblems(session, track),
  ...workProblems(work, track),
  ...fileProblems(summaries, track),
  ...(reported ? [] : ["there is no report"]),
];

function readSummaries(path: string): FileSummary[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as FileSummary);
}

/** The problems whose condition does not hold. */
const expecting = (...expected: readonly (readonly [holds: boolean, problem: string])[]): string[] =>
  expected.filter(([holds]) => !holds).map(([, problem]) => problem);

function sessionProblems(session: Found["session"], { ended, errors, job, workers, rescheduled }: Track): string[] {
  const handOuts = job.role === "killed" ? 2 : 1;
  return expecting(
    [session.status === "idle", `the session is ${session.status}, not idle`],
    [ended === "end_turn", `the turn ended with ${ended ?? "nothing"}, not with end_turn`],
    [errors.length === 0, `the session has errors: ${errors.join("; ")}`],
    [workers.length === handOuts, `it was worked on by ${workers.join(", then ") || "nobody"}`],
    [rescheduled === handOuts - 1, `its lease ended ${rescheduled} times, not ${handOuts - 1}`],
  );
}

function workProblems(work: Found["work"], { job }: Track): string[] {
  const [item, ...others] = work;
  if (item === undefined) return ["it has no work item"];
  const asked = item.stop_requested_at !== null && item.stopped_at !== null && item.stop_requested_at < item.stopped_at;
  return expecting(
    [others.length === 0, `it has ${work.length} work items, not one`],
    [item.state === "stopped", `its work item is ${item.state}, not stopped`],
    [job.role !== "stopped" || asked, "its work item does not show the stop request"],
  );
}

function fileProblems(summaries: readonly FileSummary[], { job }: Track): string[] {
  const files = summaries.map(({ file }) => file);
  const all = files.length === job.files.length;
  return expecting(
    [new Set(files).size === files.length, "a file was summarised twice"],
    [files.every((file) => job.files.includes(file)), "a file was summarised that is not there"],
    [
      job.role === "stopped" ? files.length > 0 && !all : all,
      `${files.length} of ${job.files.length} files were summarised`,
    ],
  );
}
