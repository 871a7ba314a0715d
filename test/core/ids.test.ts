import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ID_PREFIXES, type IdKind, IdSource, isId } from "../../src/core/ids.ts";
import { T0 } from "./support/items.ts";

const KINDS = Object.keys(ID_PREFIXES) as IdKind[];
const ORDERED: IdKind = "event";
const randomHex = (bytes: number): string => randomBytes(bytes).toString("hex");
const always = (digit: string) => (bytes: number) => digit.repeat(bytes * 2);

/** A clock that stands still, creeps, jumps forward and steps back, in microseconds. */
const readings = fc.array(
  fc.oneof(fc.constant(0), fc.integer({ min: -5_000_000, max: 5_000_000 }), fc.nat({ max: 900 })),
  { minLength: 2, maxLength: 100 },
);
const hex = (id: string): string => id.slice(id.indexOf("_") + 1);

describe("an id", () => {
  it.each(KINDS)("of kind %s is its prefix and the 32 hex digits of a UUIDv7", (kind) => {
    const id = new IdSource(randomHex).next(kind, T0);
    expect(id).toMatch(new RegExp(`^${ID_PREFIXES[kind]}[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$`));
    expect(isId(kind, id)).toBe(true);
  });

  it("begins with the millisecond of its creation", () => {
    const id = new IdSource(randomHex).next("work", T0 + 999);
    expect(Number.parseInt(hex(id).slice(0, 12), 16)).toBe(T0 / 1_000);
  });

  it("is of one kind only, and nothing but an id is one", () => {
    const id = new IdSource(randomHex).next("work", T0);
    for (const kind of KINDS) expect(isId(kind, id)).toBe(kind === "work");
    for (const text of ["", "work_", `${id}0`, id.slice(0, -1), id.toUpperCase(), ` ${id}`, `${id}\n`, 7, null, [id]]) {
      expect(isId("work", text)).toBe(false);
    }
  });
});

describe("ids of one source", () => {
  it("ascend strictly as text, over all kinds, whatever the clock does", () => {
    fc.assert(
      fc.property(readings, fc.constantFrom("0", "7", "f"), (steps, digit) => {
        const ids = new IdSource(always(digit));
        let now = T0;
        const made = steps.map((step, index) => {
          now += step;
          return hex(ids.next(KINDS[index % KINDS.length] as IdKind, now));
        });
        expect(made).toEqual([...new Set(made)].sort());
      }),
    );
  });

  it("ascend over the end of a millisecond's counter", () => {
    const ids = new IdSource(always("0"));
    // The counter's last value: 26 bits, of which the low 14 stand behind the variant.
    ids.raiseAbove(`evt_${(T0 / 1_000).toString(16).padStart(12, "0")}7fffbfff000000000000`);
    const made = [ids.next(ORDERED, T0), ids.next(ORDERED, T0), ids.next(ORDERED, T0 + 1_000), ids.next(ORDERED, T0)];
    expect(made).toEqual([...new Set(made)].sort());
    expect(Number.parseInt(hex(made[0] as string).slice(0, 12), 16)).toBe(T0 / 1_000 + 1);
  });

  it("ascend over all sources that share a clock, from one microsecond to the next", () => {
    const sources = Array.from({ length: 4 }, () => new IdSource(randomHex));
    const made = Array.from({ length: 400 }, (_, index) => {
      return hex((sources[(index * 7) % 4] as IdSource).next(ORDERED, T0 + 700 + index));
    });
    expect(made).toEqual([...new Set(made)].sort());
  });

  it("differ between two sources that share a clock and a counter", () => {
    const make = () => new IdSource((bytes) => (bytes === 2 ? "0000" : randomHex(bytes)));
    expect(make().next(ORDERED, T0)).not.toBe(make().next(ORDERED, T0));
  });
});

describe("an id above another one", () => {
  it("is greater than it, whichever clock that was made by", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), fc.nat({ max: 40 }), (ahead, before) => {
        const elsewhere = new IdSource(randomHex);
        let foreign = elsewhere.next(ORDERED, T0 + ahead);
        for (let index = 0; index < before; index += 1) foreign = elsewhere.next(ORDERED, T0 + ahead);
        const here = new IdSource(randomHex);
        expect(here.next(ORDERED, T0, foreign) > foreign).toBe(true);
        expect(here.next(ORDERED, T0) > foreign).toBe(true);
      }),
    );
  });

  it("is greater within the same millisecond too, where only a counter tells them apart", () => {
    const here = new IdSource(always("0"));
    here.next(ORDERED, T0);
    const elsewhere = new IdSource(always("9"));
    const foreign = elsewhere.next(ORDERED, T0);
    expect(here.next(ORDERED, T0) < foreign).toBe(true);
    expect(here.next(ORDERED, T0, foreign) > foreign).toBe(true);
  });

  it("does not fall back below what this source has made already", () => {
    const ids = new IdSource(randomHex);
    const made = ids.next(ORDERED, T0);
    ids.raiseAbove(new IdSource(randomHex).next(ORDERED, T0 - 5_000_000));
    expect(ids.next(ORDERED, T0) > made).toBe(true);
  });
});
