/**
 * `npm run crash -- --rounds 100 [--seed N]`: kills a server under load that many times and prints what came of it, as
 * Markdown. Ends with 1 when a rule was broken.
 */
import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import { ensureBuilt } from "../support/build.ts";
import { crashRun, type RunReport } from "./run.ts";

function wholeNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text);
  process.stderr.write(`--${name} must be a whole number of at least 1.\n`);
  process.exit(2);
}

function markdown(report: RunReport, seconds: number): string {
  const { restartsMs, violations } = report;
  const sorted = [...restartsMs].sort((a, b) => a - b);
  const median = Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0);
  const rows: readonly (readonly [string, string | number])[] = [
    ["Kills (SIGKILL) under load", report.rounds],
    ["Calls answered with 200", report.answered],
    ["Calls that a kill left without an answer", report.unanswered],
    ["Sessions, work items, events at the end", `${report.sessions}, ${report.items}, ${report.events}`],
    ["Restart until it listens, median and longest", `${median} ms, ${Math.round(sorted.at(-1) ?? 0)} ms`],
    ["Rules broken", violations.length],
    ["Seed, seconds", `${report.seed}, ${Math.round(seconds)}`],
    [
      "Machine",
      `Node ${process.version}, Linux ${release()}, ${cpus().length} CPUs, embedded SQLite, synchronous=FULL, ${new Date().toISOString().slice(0, 10)}`,
    ],
  ];
  return ["| | |", "| --- | --- |", ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join("\n");
}

const { values } = parseArgs({ options: { rounds: { type: "string", default: "100" }, seed: { type: "string" } } });
const rounds = wholeNumber("rounds", values.rounds);
const seed = values.seed === undefined ? 1 + Math.floor(Math.random() * 1e9) : wholeNumber("seed", values.seed);
await ensureBuilt();
const began = performance.now();
const report = await crashRun(rounds, seed, (line) => process.stderr.write(`${line}\n`));
process.stdout.write(`${markdown(report, (performance.now() - began) / 1_000)}\n`);
for (const violation of report.violations) process.stdout.write(`\n${JSON.stringify(violation)}\n`);
process.exitCode = report.violations.length === 0 ? 0 : 1;
