/** The tables in docs/benchmarks.md, written from the results that were kept: no figure there is typed. */
import { readFileSync, writeFileSync } from "node:fs";
import { backlogTable } from "../tables/backlog.mjs";
import { cycleTable } from "../tables/cycle.mjs";
import { cyclePostgresTable } from "../tables/cycle-postgres.mjs";
import { startTable } from "../tables/start.mjs";
import { streamTable } from "../tables/stream.mjs";
import { waitersTable } from "../tables/waiters.mjs";
import { ROOT } from "./machine.mjs";
import { keptResult } from "./results.mjs";

const FILE = `${ROOT}docs/benchmarks.md`;
const TABLES = {
  cycle: cycleTable,
  "cycle-postgres-1": cyclePostgresTable,
  "cycle-postgres-3": cyclePostgresTable,
  "backlog-postgres": backlogTable,
  waiters: waitersTable,
  stream: streamTable,
  start: startTable,
};

/** Brings the page up to date. Returns whether it was. */
export function writeDocs({ check }) {
  const current = readFileSync(FILE, "utf8");
  let page = current;
  for (const [name, render] of Object.entries(TABLES)) {
    const result = keptResult(name);
    const body = result === undefined ? "Not measured yet." : `${render(result)}\n\n${origin(name, result)}`;
    const marked = new RegExp(`(<!-- generated: ${name} -->\n).*?(<!-- end -->)`, "s");
    if (!marked.test(page)) throw new Error(`docs/benchmarks.md has no place for the results of ${name}.`);
    page = page.replace(marked, (_, begin, end) => `${begin}${body}\n${end}`);
  }
  if (page !== current && !check) writeFileSync(FILE, page);
  return page === current;
}

function origin(name, { taken_at, commit, machine, versions, database = versions.sqlite, placement = machine.pinned }) {
  const when = taken_at.slice(0, 10);
  const where = `${machine.cpu}, ${machine.cores} cores, ${machine.memory_gb} GB, ${placement}, load average before the run ${machine.load_average_before}`;
  return `<sub>[bench/results/${name}.json](../bench/results/${name}.json): ${when}, commit ${commit}, ${where}; Node ${versions.node}, Fastify ${versions.fastify}, ${database}.</sub>`;
}
