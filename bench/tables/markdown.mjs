/** A Markdown table. The first column is text, the others are figures. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? "---" : "--:"))), ...rows.map(line)].join("\n");
}

export const count = (value) => Math.round(value).toLocaleString("en-US");

/** Median and, behind it, the least and the greatest of the repeats. */
export const spread = ({ median, min, max }, format = String) => `${format(median)} (${format(min)}–${format(max)})`;

/** Two digits after the point are all that these figures carry. */
export const short = (value) => (value >= 100 ? count(value) : String(Number(value.toFixed(2))));

/**
 * What was measured of the same thing on other processors: its paragraphs, or none.
 *
 * @param cellsOf the figures of one row of a result
 */
export function elsewhereTable(results, head, cellsOf) {
  if (results.length === 0) return [];
  const lines = results.flatMap(({ machine, placement = machine.pinned, taken_at, commit, rows }) => {
    const origin = [placement, taken_at.slice(0, 10), commit];
    return rows.map((row) => [`${machine.cpu}, ${row.workers} workers`, ...origin, ...cellsOf(row)]);
  });
  const heading = `On other processors ([bench/results/elsewhere](../bench/results/elsewhere)):`;
  return [heading, table(["Processor", "Placement", "Date", "Commit", ...head], lines)];
}
