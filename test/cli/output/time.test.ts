import { expect, test } from "vitest";
import { duration, relativeTime } from "../../../src/cli/output/time.ts";

const NOW = Date.parse("2026-07-01T12:00:00Z");
const before = (seconds: number) => relativeTime(new Date(NOW - seconds * 1_000).toISOString(), NOW);

test("times are told in the largest unit that fits", () => {
  expect([5, 59, 60, 3_599, 3_600, 86_399, 86_400].map(before)).toEqual([
    "5 s ago",
    "59 s ago",
    "1 min ago",
    "59 min ago",
    "1 h ago",
    "23 h ago",
    "1 d ago",
  ]);
});

test("what happened a moment ago on another machine's clock is not in the future", () => {
  expect([0, 4.9, -4.9].map(before)).toEqual(["just now", "just now", "just now"]);
});

test("what is to come is told as such", () => {
  expect(before(-3_600)).toBe("in 1 h");
});

test("far away times are dates", () => {
  expect(before(30 * 86_400)).toBe("2026-06-01");
  expect(relativeTime("2036-07-01T12:00:00.000001Z", NOW)).toBe("2036-07-01");
});

test("what has not happened is a dash", () => {
  expect(relativeTime(null, NOW)).toBe("–");
});

test("lengths of time", () => {
  expect([0, 999, 1_500, 61_000].map(duration)).toEqual(["0 ms", "999 ms", "1 s", "1 min"]);
});
