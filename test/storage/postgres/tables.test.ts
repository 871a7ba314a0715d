import { describe, expect, it } from "vitest";
import { newSession, newWork } from "../../../src/core/turn.ts";
import { type PgTable, tablesIn } from "../../../src/storage/postgres/tables.ts";

const SESSION = newSession("sess_1", { environmentId: "env_1", agent: null, title: null, metadata: {} }, 7);
const ITEM = newWork("work_1", SESSION, 7);

/** The columns of an INSERT, or those that an UPDATE sets. */
function columnsIn(text: string | undefined): string[] {
  const [, inserted, updated] = /INSERT INTO \S+ \(([^)]*)\)|SET (.*?) FROM/.exec(text ?? "") ?? [];
  return (inserted ?? updated ?? "").split(", ").map((column) => column.replace(/ = .*/, ""));
}

describe("rows on PostgreSQL", () => {
  const change = (table: PgTable<typeof ITEM>, ...changes: Partial<typeof ITEM>[]) =>
    table.updateOf(changes.map((some) => ({ before: table.row(ITEM), after: table.row({ ...ITEM, ...some }) })));

  it("are inserted without the columns that none of them has a value for", () => {
    const { work } = tablesIn("s");
    const held = { ...ITEM, id: "work_2", holder: "w1" };
    const alone = work.insertOf([work.row(ITEM)]);
    const both = work.insertOf([work.row(ITEM), work.row(held)]);
    expect(columnsIn(alone.sql.text)).not.toContain("holder");
    expect(columnsIn(both.sql.text).filter((column) => !columnsIn(alone.sql.text).includes(column))).toEqual([
      "holder",
    ]);
    expect(both.values).toContain('{NULL,"w1"}');
    expect(both.values.length).toBe(columnsIn(both.sql.text).length);
    expect(both.sql.name).not.toBe(alone.sql.name);
    expect(work.insertOf([work.row({ ...ITEM, id: "work_3" })]).sql).toBe(alone.sql);
  });

  it("are updated in the columns that any of them changes, and not at all where nothing changes", () => {
    const { work } = tablesIn("s");
    const changed = change(work, { holder: "w1" }, { attempts: 2 });
    expect(columnsIn(changed?.sql.text)).toEqual(["holder", "attempts"]);
    expect(changed?.values).toEqual(['{"work_1","work_1"}', '{"w1",NULL}', "{0,2}"]);
    expect(change(work, {}, {})).toBeUndefined();
  });

  it("share a bounded number of statements; whatever goes beyond names all columns", () => {
    const { work } = tablesIn("s");
    const texts = new Set<string | undefined>();
    for (let mask = 1; mask < 128; mask++) {
      const bit = (place: number) => (mask >> place) & 1 || null;
      const dates = { startedAt: bit(0), stoppedAt: bit(1), sweepAt: bit(2), deadlineAt: bit(3), deliveredAt: bit(4) };
      const statement = change(work, { ...dates, availableAt: bit(5), acknowledgedAt: bit(6) });
      texts.add(statement?.sql.text);
      expect(statement?.values.length).toBe(columnsIn(statement?.sql.text).length + 1);
    }
    expect(texts.size).toBe(49);
    expect(texts).toContain(work.updateSql.text);
  });
});
