import { count, short, spread, table } from "./markdown.mjs";

export const backlogTable = ({ rows, ratio }) =>
  [
    table(
      ["Queued items", "Poll that claims one, p50, ms", "p99, ms", "CPU-ms of the database per claim"],
      rows.map(({ items, claim_p50_ms, claim_p99_ms, database_cpu_ms }) => [
        count(items),
        spread(claim_p50_ms, short),
        short(claim_p99_ms.median),
        short(database_cpu_ms.median),
      ]),
    ),
    `The larger against the smaller queue, in turn: ${spread(ratio, short)} times. No table had been analyzed by the end of the run.`,
  ].join("\n\n");
