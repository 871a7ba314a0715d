import { expect, test } from "vitest";
import type { Sink } from "../../../src/cli/io.ts";
import { paint } from "../../../src/cli/output/colour.ts";
import { type Column, renderFields, renderTable } from "../../../src/cli/output/table.ts";

const sink = (look: Partial<Sink> = {}): Sink => ({
  write: () => undefined,
  isTerminal: false,
  colour: false,
  columns: undefined,
  ...look,
});

interface Row {
  readonly id: string;
  readonly title: string;
}
const columns: Column<Row>[] = [
  { title: "ID", text: (row) => row.id, style: () => "green" },
  { title: "TITLE", text: (row) => row.title, flexible: true },
  { title: "N", text: () => "1", align: "right" },
];

test("columns are as wide as their widest text", () => {
  const table = renderTable(sink(), columns, [
    { id: "a", title: "one" },
    { id: "abc", title: "a longer title" },
  ]);
  expect(table).toBe("ID   TITLE           N\na    one             1\nabc  a longer title  1\n");
});

test("in a pipe nothing is cut, on a terminal the flexible column gives way", () => {
  const rows = [{ id: "abc", title: "x".repeat(100) }];
  expect(renderTable(sink(), columns, rows)).toContain("x".repeat(100));
  const narrow = renderTable(sink({ isTerminal: true, columns: 40 }), columns, rows);
  expect(narrow).toContain("…");
  for (const line of narrow.trimEnd().split("\n")) expect(line.length).toBeLessThanOrEqual(40);
});

test("a row is one line and cannot steer the terminal, whatever its texts contain", () => {
  const table = renderTable(sink(), columns, [{ id: "a", title: "two\nlines\u001b[2J" }]);
  expect(table.split("\n")).toHaveLength(3);
  expect(table).not.toContain("\u001b");
});

test("colours appear only where the stream shows them, and do not shift columns", () => {
  const rows = [{ id: "a", title: "one" }];
  const coloured = renderTable(sink({ colour: true }), columns, rows);
  expect(coloured).toContain("\u001b[32m");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is taken out are the styles
  expect(coloured.replaceAll(/\u001b\[\d+m/g, "")).toBe(renderTable(sink(), columns, rows));
  expect(paint(sink(), "red", "plain")).toBe("plain");
});

test("fields stand one below the other", () => {
  const fields = [
    ["id", "x"],
    ["longer", "y"],
  ] as const;
  expect(renderFields(sink(), fields)).toBe("id      x\nlonger  y\n");
});
