import { describe, expect, it } from "vitest";
import { RowCache } from "../../src/storage/sqlite/cache.ts";

const row = (number: number, version = 0) => ({ id: `row_${number}`, version });

describe("the row cache", () => {
  it("keeps the last half of its limit, and never more than the limit", () => {
    const cache = new RowCache(100);
    for (let number = 0; number < 1_000; number++) {
      cache.put(row(number));
      let held = 0;
      for (let other = 0; other <= number; other++) if (cache.get(`row_${other}`) !== undefined) held += 1;
      expect(held).toBeLessThanOrEqual(100);
      for (let recent = Math.max(0, number - 49); recent <= number; recent++) {
        expect(cache.get(`row_${recent}`)).toBeDefined();
      }
    }
  });

  it("answers with the row that was put last, however long the first one has been there", () => {
    const cache = new RowCache(10);
    cache.put(row(1, 1));
    for (let number = 100; number < 106; number++) cache.put(row(number));
    cache.put(row(1, 2));
    expect(cache.get("row_1")).toEqual(row(1, 2));
    for (let number = 200; number < 204; number++) cache.put(row(number));
    expect(cache.get("row_1")).toEqual(row(1, 2));
  });

  it("keeps few rows when they are heavy, the one that was put last among them", () => {
    const cache = new RowCache<{ id: string; agent: { system: string } }>(100, ({ agent }) => agent);
    const system = "x".repeat(4 * 1024 * 1024);
    for (let number = 0; number < 20; number++) {
      cache.put({ id: `row_${number}`, agent: { system } });
      const held = Array.from({ length: 20 }, (_, other) => cache.get(`row_${other}`)).filter(Boolean);
      expect(held.length).toBeLessThanOrEqual(8);
      expect(cache.get(`row_${number}`)).toBeDefined();
    }
  });

  it("knows nothing after it was cleared", () => {
    const cache = new RowCache(10);
    for (let number = 0; number < 8; number++) cache.put(row(number));
    cache.clear();
    for (let number = 0; number < 8; number++) expect(cache.get(`row_${number}`)).toBeUndefined();
  });
});
