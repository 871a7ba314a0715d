import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatTime, parseTime } from "../../src/core/time.ts";
import { T0 } from "./support/items.ts";

/** Any microsecond from 1970 to 2112: up to there, half a microsecond can be told apart. */
const instant = fc.integer({ min: 0, max: 2 ** 52 - 1 });
const two = (value: number): string => String(value).padStart(2, "0");

describe("a time that this server writes", () => {
  it("is in UTC with Z and six fractional digits", () => {
    expect(formatTime(T0)).toBe("2026-07-01T08:00:00.000000Z");
    expect(formatTime(T0 + 1)).toBe("2026-07-01T08:00:00.000001Z");
    expect(formatTime(T0 + 120_394)).toBe("2026-07-01T08:00:00.120394Z");
    expect(formatTime(T0 + 999_999)).toBe("2026-07-01T08:00:00.999999Z");
  });

  it("is read back as the same microsecond", () => {
    fc.assert(fc.property(instant, (at) => parseTime(formatTime(at)) === at));
  });

  it("sorts as text the way that its instants do", () => {
    fc.assert(fc.property(instant, instant, (a, b) => a < b === formatTime(a) < formatTime(b)));
  });
});

describe("a time that is read", () => {
  it("may name an offset: the same instant, written differently", () => {
    fc.assert(
      fc.property(instant, fc.integer({ min: -(23 * 60 + 59), max: 23 * 60 + 59 }), (at, offset) => {
        fc.pre(at + offset * 60_000_000 >= 0);
        const local = formatTime(at + offset * 60_000_000);
        const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
        expect(parseTime(local.replace("Z", zone))).toBe(at);
      }),
    );
  });

  it("may leave out the fraction, write fewer digits of it, and write t and z small", () => {
    expect(parseTime("2026-07-01T08:00:00Z")).toBe(T0);
    expect(parseTime("2026-07-01T08:00:00.5Z")).toBe(T0 + 500_000);
    expect(parseTime("2026-07-01t08:00:00.000001z")).toBe(T0 + 1);
    expect(parseTime("2026-07-01T08:00:00-00:00")).toBe(T0);
  });

  it("may be a leap second: the instant of the second behind it", () => {
    expect(parseTime("2026-06-30T23:59:60.5Z")).toBe(parseTime("2026-07-01T00:00:00.5Z"));
    expect(parseTime("2026-07-01T01:59:60+02:00")).toBe(parseTime("2026-07-01T00:00:00Z"));
  });

  it("with digits finer than a microsecond equals no instant, unless they are all zero", () => {
    expect(parseTime("2026-07-01T08:00:00.000001000Z")).toBe(T0 + 1);
    expect(parseTime(`2026-07-01T08:00:00.000001${"0".repeat(500)}Z`)).toBe(T0 + 1);
    expect(parseTime(`2026-07-01T08:00:00.000001${"9".repeat(500)}Z`)).toBe(T0 + 1.5);
    fc.assert(
      fc.property(instant, fc.integer({ min: 1, max: 999_999 }), (at, finer) => {
        const text = formatTime(at).replace("Z", `${String(finer).padStart(6, "0")}Z`);
        const read = parseTime(text) as number;
        expect(Number.isInteger(read)).toBe(false);
        expect(Math.floor(read)).toBe(at);
      }),
    );
  });

  it.each([
    ["a day that the month does not have", "2026-02-30T00:00:00Z"],
    ["a day that the year does not have", "2025-02-29T00:00:00Z"],
    ["a month beyond twelve", "2026-13-01T00:00:00Z"],
    ["a day zero", "2026-01-00T00:00:00Z"],
    ["an hour 24", "2026-07-01T24:00:00Z"],
    ["a second 61", "2026-06-30T23:59:61Z"],
    ["a minute 60", "2026-07-01T08:60:00Z"],
    ["an offset of a day", "2026-07-01T08:00:00+24:00"],
    ["an offset of sixty minutes", "2026-07-01T08:00:00+01:60"],
    ["no zone", "2026-07-01T08:00:00"],
    ["no time", "2026-07-01"],
    ["no fraction behind the point", "2026-07-01T08:00:00.Z"],
    ["a blank for the plus of an offset", "2026-07-01T08:00:00 02:00"],
    ["a blank for the T", "2026-07-01 08:00:00Z"],
    ["a line end behind it", "2026-07-01T08:00:00Z\n"],
    ["a number", "1782892800"],
    ["nothing", ""],
  ])("is refused with %s", (_, text) => {
    expect(parseTime(text)).toBeUndefined();
  });

  it("knows the leap day of a leap year", () => {
    expect(formatTime(parseTime("2028-02-29T23:59:59.999999Z") as number)).toBe("2028-02-29T23:59:59.999999Z");
  });
});
