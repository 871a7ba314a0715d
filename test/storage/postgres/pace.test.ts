import { expect, test } from "vitest";
import { Pace } from "../../../src/storage/postgres/pace.ts";

test("so many go at once, and then one each time", () => {
  const pace = new Pace(20, 3);
  expect([0, 0, 0, 0, 0].map((nowMs) => pace.next(nowMs))).toEqual([0, 0, 0, 20, 40]);
});

test("whoever comes at the pace never waits", () => {
  const pace = new Pace(20, 1);
  expect([5, 25, 45, 65].map((nowMs) => pace.next(nowMs))).toEqual([0, 0, 0, 0]);
});

test("what was not used comes back with time, and no more than there was", () => {
  const pace = new Pace(20, 2);
  expect([0, 0].map((nowMs) => pace.next(nowMs))).toEqual([0, 0]);
  expect([20, 20].map((nowMs) => pace.next(nowMs))).toEqual([0, 20]);
  expect([1_000, 1_000, 1_000].map((nowMs) => pace.next(nowMs))).toEqual([0, 0, 20]);
});
