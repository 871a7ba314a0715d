import type { Sink } from "../io.ts";
import { type Column, renderTable } from "../output/table.ts";
import type { Role } from "./plan.ts";
import type { Result } from "./verify.ts";

const NOTES: Readonly<Record<Role, string>> = {
  plain: "–",
  killed: "taken over",
  stopped: "stopped",
};

/** What the sessions of a demo did. */
export function resultTable(sink: Sink, results: readonly Result[]): string {
  const columns: Column<Result>[] = [
    { title: "FOLDER", text: ({ track }) => track.job.name },
    { title: "FILES", text: ({ track, summaries }) => `${summaries.length}/${track.job.files.length}`, align: "right" },
    { title: "LINES", text: ({ summaries }) => String(sum(summaries.map(({ lines }) => lines))), align: "right" },
    { title: "LONGEST FUNCTION", text: longest, flexible: true },
    { title: "WORKERS", text: ({ track }) => track.workers.join(", ") },
    { title: "WORK", text: ({ work }) => work.map(({ state }) => state).join(", ") },
    { title: "TURN", text: ({ track }) => track.ended ?? "–" },
    { title: "EVENT", text: ({ track }) => NOTES[track.job.role] },
    {
      title: "",
      text: ({ problems }) => (problems.length === 0 ? "✓" : "✗"),
      style: ({ problems }) => (problems.length === 0 ? "green" : "red"),
    },
  ];
  return renderTable(sink, columns, results);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

function longest({ summaries }: Result): string {
  const functions = summaries.map((summary) => summary.longest).sort((a, b) => b.lines - a.lines);
  return functions[0] === undefined ? "–" : `${functions[0].name} (${functions[0].lines})`;
}
