import { count, elsewhereTable, short, spread, table } from "./markdown.mjs";

export const cycleTable = ({ rows }, elsewhere) =>
  [
    table(
      [
        "Workers",
        "Ratio to bare Fastify",
        "Cycles/s",
        "Requests/s",
        "Bare, requests/s",
        "CPU-ms per cycle",
        "Bare, per five",
      ],
      rows.map(({ workers, ratio, capstan, bare }) => [
        workers,
        spread(ratio, short),
        spread(capstan.cycles_per_second, count),
        count(capstan.requests_per_second.median),
        count(bare.requests_per_second.median),
        short(capstan.server_cpu_ms_per_cycle.median),
        short(bare.server_cpu_ms_per_cycle.median),
      ]),
    ),
    table(
      ["p50 / p99 in ms", ...Object.keys(rows[0].capstan.verbs_ms)],
      rows.map(({ workers, capstan }) => [
        `${workers} workers`,
        ...Object.values(capstan.verbs_ms).map(({ p50, p99 }) => `${short(p50)} / ${short(p99)}`),
      ]),
    ),
    audits(rows),
    ...elsewhereTable(elsewhere, ["Ratio to bare Fastify", "Cycles/s"], ({ ratio, capstan }) => [
      spread(ratio, short),
      count(capstan.cycles_per_second.median),
    ]),
  ].join("\n\n");

function audits(rows) {
  const sum = (key) => rows.reduce((total, { audit }) => total + audit[key], 0);
  return `Audit after the runs, through the API: ${count(sum("items"))} items, lost ${sum("lost")}, owned twice ${sum("owned_twice")}, refused ${sum("refused")}.`;
}
