import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitsCharacters, METADATA_LIMITS, type MetadataPatch, mergeMetadata } from "../../src/core/metadata.ts";
import { fault, value } from "./support/items.ts";

const key = fc.oneof(
  fc.constantFrom("a", "b", "c", "__proto__", "constructor", "toString"),
  fc.string({ maxLength: 4 }),
);
const bag = fc.uniqueArray(key, { maxLength: 8 }).map((keys) => fromEntries(keys.map((name) => [name, `v ${name}`])));
const patch = fc
  .uniqueArray(fc.tuple(key, fc.option(fc.string())), { maxLength: 8, selector: ([name]) => name })
  .map(fromEntries);

/** As JSON.parse makes it: every key is a key, `__proto__` too. */
function fromEntries<T>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return JSON.parse(`{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join()}}`);
}

const keys = (count: number): Record<string, string> =>
  fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, "v"] as const));

describe("a metadata patch", () => {
  it("sets with a string, removes with null, and leaves every other key alone", () => {
    fc.assert(
      fc.property(bag, patch, (current, changes) => {
        const merged = new Map(Object.entries(value(mergeMetadata(current, changes))));
        for (const [name, entry] of Object.entries(changes)) expect(merged.get(name) ?? null).toBe(entry);
        for (const [name, entry] of Object.entries(current)) {
          if (!Object.hasOwn(changes, name)) expect(merged.get(name)).toBe(entry);
        }
        for (const name of merged.keys()) {
          expect(Object.hasOwn(changes, name) || Object.hasOwn(current, name)).toBe(true);
        }
      }),
    );
  });

  it("changes nothing that it was given", () => {
    const current = { a: "1" };
    const changes: MetadataPatch = { a: null, b: "2" };
    expect(value(mergeMetadata(current, changes))).toEqual({ b: "2" });
    expect([current, changes]).toEqual([{ a: "1" }, { a: null, b: "2" }]);
  });

  it("that is left out changes nothing", () => {
    expect(value(mergeMetadata({ a: "1" }, undefined))).toEqual({ a: "1" });
  });

  it("takes __proto__ for a key like any other", () => {
    const merged = value(mergeMetadata({ a: "1" }, fromEntries([["__proto__", "x"]])));
    expect(JSON.stringify(merged)).toBe('{"a":"1","__proto__":"x"}');
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    expect(JSON.stringify(value(mergeMetadata(merged, fromEntries([["__proto__", null]]))))).toBe('{"a":"1"}');
  });

  it("is refused when more than 16 keys would be left, and not when as many are removed", () => {
    const full = keys(METADATA_LIMITS.keys);
    expect(fault(mergeMetadata(full, { more: "v" }))).toMatchObject({ kind: "invalid_request", param: "metadata" });
    expect(value(mergeMetadata(full, { more: "v", k0: null }))).toMatchObject({ more: "v" });
    expect(Object.keys(value(mergeMetadata(full, { k0: "again" })))).toHaveLength(16);
  });

  it("may name more than 16 keys when what is left has no more", () => {
    const emptied = Object.fromEntries(Object.keys(keys(30)).map((name) => [name, null]));
    expect(value(mergeMetadata(keys(16), emptied))).toEqual({});
  });
});

describe("a limit on characters", () => {
  it("counts code points: an emoji is one character", () => {
    expect(fitsCharacters("😀".repeat(64), 64)).toBe(true);
    expect(fitsCharacters("😀".repeat(65), 64)).toBe(false);
    expect(fitsCharacters(`${"a".repeat(63)}😀`, 64)).toBe(true);
    expect(fitsCharacters(`${"a".repeat(64)}😀`, 64)).toBe(false);
  });

  it("agrees with counting all of them", () => {
    const text = fc.string({
      unit: fc.oneof(fc.constant("😀"), fc.constant("a"), fc.constant("\ud800")),
      maxLength: 20,
    });
    fc.assert(
      fc.property(text, fc.nat({ max: 20 }), (given, limit) => {
        expect(fitsCharacters(given, limit)).toBe([...given].length <= limit);
      }),
    );
  });
});
