/** The tables in the documentation, written from the results that were kept: no figure there is typed. */
import { readFileSync, writeFileSync } from "node:fs";
import { backlogTable } from "../tables/backlog.mjs";
import { costsTable } from "../tables/costs.mjs";
import { cycleTable } from "../tables/cycle.mjs";
import { cyclePostgresTable } from "../tables/cycle-postgres.mjs";
import { startTable } from "../tables/start.mjs";
import { streamTable } from "../tables/stream.mjs";
import { waitersTable } from "../tables/waiters.mjs";
import { ROOT } from "./machine.mjs";
import { keptElsewhere, keptResult } from "./results.mjs";

/** Whose result goes where. `of` is the result's name where it is not that of the place. */
const PAGES = {
  "docs/benchmarks.md": {
    cycle: { render: cycleTable },
    "cycle-postgres-1-apart": { render: cyclePostgresTable },
    "cycle-postgres-1-shared": { render: cyclePostgresTable },
    "cycle-postgres-3-apart": { render: cyclePostgresTable },
    "cycle-postgres-3-shared": { render: cyclePostgresTable },
    "backlog-postgres": { render: backlogTable },
    waiters: { render: waitersTable },
    stream: { render: streamTable },
    start: { render: startTable },
  },
  "docs/scaling.md": {
    "costs-postgres-1": { render: costsTable },
    "costs-postgres-3": { render: costsTable },
  },
};

/** Brings the pages up to date. Returns whether they were. */
export function writeDocs({ check }) {
  const stale = Object.entries(PAGES).filter(([page, places]) => !writePage(page, places, check));
  return stale.length === 0;
}

function writePage(name, places, check) {
  const file = ROOT + name;
  const current = readFileSync(file, "utf8");
  let page = current;
  for (const [place, { of = place, render }] of Object.entries(places)) {
    const result = keptResult(of);
    const body =
      result === undefined ? "Not measured yet." : `${render(result, keptElsewhere(of))}\n\n${origin(of, result)}`;
    const marked = new RegExp(`(<!-- generated: ${place} -->\n).*?(<!-- end -->)`, "s");
    if (!marked.test(page)) throw new Error(`${name} has no place for ${place}.`);
    page = page.replace(marked, (_, begin, end) => `${begin}${body}\n${end}`);
  }
  if (page !== current && !check) writeFileSync(file, page);
  return page === current;
}

function origin(name, { taken_at, commit, machine, versions, database = versions.sqlite, placement = machine.pinned }) {
  const when = taken_at.slice(0, 10);
  const where = `${machine.cpu}, ${machine.cores} cores, ${machine.memory_gb} GB, ${placement}, load average before the run ${machine.load_average_before}`;
  return `<sub>[bench/results/${name}.json](../bench/results/${name}.json): ${when}, commit ${commit}, ${where}; Node ${versions.node}, Fastify ${versions.fastify}, ${database}.</sub>`;
}
