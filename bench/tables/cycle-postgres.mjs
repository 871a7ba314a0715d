import { count, elsewhereTable, short, spread, table } from "./markdown.mjs";

export function cyclePostgresTable({ rows }, elsewhere) {
  const raw = Object.keys(rows[0].raw);
  return [
    table(
      ["Workers", "Cycles/s", ...raw.map((name) => `Ratio to ${name}`), "CPU-ms per cycle: servers", "database"],
      rows.map((row) => [
        row.workers,
        spread(row.cycles_per_second, count),
        ...raw.map((name) => spread(row.raw[name].ratio, short)),
        short(row.server_cpu_ms_per_cycle.median),
        short(row.database_cpu_ms_per_cycle.median),
      ]),
    ),
    `pgbench in the same minutes, cycles/s: ${raw.map((name) => `${name} ${rates(rows, name)}`).join("; ")}.`,
    table(
      ["p50 / p99 in ms", ...Object.keys(rows[0].verbs_ms)],
      rows.map(({ workers, verbs_ms: verbs }) => [
        `${workers} workers`,
        ...Object.values(verbs).map(({ p50, p99 }) => `${short(p50)} / ${short(p99)}`),
      ]),
    ),
    audits(rows),
    ...elsewhereTable(elsewhere, ["Cycles/s", ...raw.map((name) => `Ratio to ${name}`)], (row) => [
      count(row.cycles_per_second.median),
      ...raw.map((name) => spread(row.raw[name].ratio, short)),
    ]),
  ].join("\n\n");
}

const rates = (rows, name) => rows.map(({ raw }) => count(raw[name].cycles_per_second.median)).join(" and ");

function audits(rows) {
  const sum = (key) => rows.reduce((total, { audit }) => total + audit[key], 0);
  return `Audit after the runs, through the API: ${count(sum("items"))} items, lost ${sum("lost")}, owned twice ${sum("owned_twice")}, refused ${sum("refused")}.`;
}
