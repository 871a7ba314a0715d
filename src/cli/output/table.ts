import type { Sink } from "../io.ts";
import { paint, type Style } from "./colour.ts";
import { oneLine } from "./printable.ts";

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  readonly style?: (row: Row) => Style | undefined;
  /** This column gives way when the line does not fit the terminal. */
  readonly flexible?: true;
  readonly align?: "right";
}

const GAP = "  ";
const SHORTEST_FLEXIBLE = 8;

/** Lines of aligned columns, ending in a newline. What is shown is one line per row, whatever the texts contain. */
export function renderTable<Row>(sink: Sink, columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const texts = rows.map((row) => columns.map((column) => oneLine(column.text(row))));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...texts.map((line) => width(line[index] ?? ""))),
  );
  shrink(columns, widths, sink.columns);
  const head = line(
    columns.map((column, index) => paint(sink, "dim", pad(column.title, widths[index] ?? 0, column.align))),
  );
  const body = rows.map((row, rowIndex) =>
    line(
      columns.map((column, index) => {
        const text = pad(texts[rowIndex]?.[index] ?? "", widths[index] ?? 0, column.align);
        const style = column.style?.(row);
        return style === undefined ? text : paint(sink, style, text);
      }),
    ),
  );
  return `${[head, ...body].join("\n")}\n`;
}

/** Names and values of one thing, one per line. */
export function renderFields(sink: Sink, fields: readonly (readonly [name: string, value: string])[]): string {
  const widest = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${paint(sink, "dim", pad(name, widest))}${GAP}${value}\n`).join("");
}

const width = (text: string): number => [...text].length;
const line = (cells: readonly string[]): string => cells.join(GAP).trimEnd();

function pad(text: string, size: number, align?: "right"): string {
  const characters = [...text];
  if (characters.length > size) return `${characters.slice(0, Math.max(0, size - 1)).join("")}…`;
  const blanks = " ".repeat(size - characters.length);
  return align === "right" ? blanks + text : text + blanks;
}

function shrink<Row>(columns: readonly Column<Row>[], widths: number[], limit: number | undefined): void {
  const flexible = columns.findIndex((column) => column.flexible);
  if (limit === undefined || flexible < 0) return;
  const total = widths.reduce((sum, size) => sum + size, 0) + GAP.length * (columns.length - 1);
  if (total <= limit) return;
  widths[flexible] = Math.max(SHORTEST_FLEXIBLE, (widths[flexible] ?? 0) - (total - limit));
}
