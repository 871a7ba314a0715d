import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Page, type PageRequest, pageScan, toPage } from "../../src/core/page.ts";

/** What a store does with a scan: one comparison, one order, one limit. */
function read(ids: readonly string[], request: PageRequest): Page<string> {
  const { operator, bound, direction, rows } = pageScan(request);
  const sorted = [...ids].sort();
  if (direction === "DESC") sorted.reverse();
  const kept = sorted.filter((id) => operator === null || (operator === ">" ? id > (bound ?? "") : id < (bound ?? "")));
  return toPage(request, kept.slice(0, rows));
}

const id = fc.nat({ max: 999 }).map((number) => String(number).padStart(3, "0"));
const ids = fc.uniqueArray(id, { maxLength: 30 });
const order = fc.constantFrom("ascending" as const, "descending" as const);
const limit = fc.integer({ min: 1, max: 7 });

const inOrder = (all: readonly string[], how: PageRequest["order"]): string[] => {
  const sorted = [...all].sort();
  return how === "ascending" ? sorted : sorted.reverse();
};

describe("paging", () => {
  it("forward yields every record once, in the list's order", () => {
    fc.assert(
      fc.property(ids, order, limit, (all, how, size) => {
        const seen: string[] = [];
        let page = read(all, { limit: size, order: how });
        seen.push(...page.data);
        while (page.hasMore) {
          page = read(all, { limit: size, order: how, after: page.data.at(-1) });
          expect(page.data.length).toBeGreaterThan(0);
          seen.push(...page.data);
        }
        expect(seen).toEqual(inOrder(all, how));
      }),
    );
  });

  it("backward from beyond the end yields every record once, each page in the list's order", () => {
    fc.assert(
      fc.property(ids, order, limit, (all, how, size) => {
        const seen: string[] = [];
        let page = read(all, { limit: size, order: how, before: how === "ascending" ? "~" : "" });
        seen.unshift(...page.data);
        while (page.hasMore) {
          page = read(all, { limit: size, order: how, before: page.data[0] });
          seen.unshift(...page.data);
        }
        expect(seen).toEqual(inOrder(all, how));
      }),
    );
  });

  it("backward gives the page that ends right before the cursor, not the first page", () => {
    const all = ["1", "2", "3", "4", "5"];
    expect(read(all, { limit: 2, order: "ascending", before: "5" })).toEqual({ data: ["3", "4"], hasMore: true });
    expect(read(all, { limit: 2, order: "descending", before: "1" })).toEqual({ data: ["3", "2"], hasMore: true });
    expect(read(all, { limit: 2, order: "ascending", before: "2" })).toEqual({ data: ["1"], hasMore: false });
  });

  it("takes a cursor that names no record as a position", () => {
    const all = ["2", "4", "6"];
    expect(read(all, { limit: 9, order: "ascending", after: "3" }).data).toEqual(["4", "6"]);
    expect(read(all, { limit: 9, order: "descending", after: "5" }).data).toEqual(["4", "2"]);
    expect(read(all, { limit: 9, order: "ascending", after: "9" })).toEqual({ data: [], hasMore: false });
  });

  it("yields what existed throughout once and in order, also while records come and go", () => {
    fc.assert(
      fc.property(ids, ids, limit, (all, others, size) => {
        const lasting = inOrder(all, "ascending");
        const passing = others.filter((other) => !all.includes(other));
        const seen: string[] = [];
        let after: string | undefined;
        for (let turn = 0; ; turn += 1) {
          const stored = turn % 2 === 0 ? lasting : [...lasting, ...passing];
          const page = read(stored, { limit: size, order: "ascending", after });
          seen.push(...page.data);
          if (!page.hasMore) break;
          after = page.data.at(-1);
        }
        expect(seen.filter((entry) => lasting.includes(entry))).toEqual(lasting);
        expect(seen).toEqual([...new Set(seen)].sort());
      }),
    );
  });

  it("that ends a page early says that there is more", () => {
    expect(toPage({ limit: 5, order: "ascending" }, ["1", "2"], true)).toEqual({ data: ["1", "2"], hasMore: true });
  });
});
