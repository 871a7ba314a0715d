import { expect, test } from "vitest";
import { ClaimFloors, type Heads } from "../../../src/storage/postgres/claim-floors.ts";

const ENVIRONMENT = "env_1";
const SECOND = 1_000_000;
const NOW = 1_782_892_800 * SECOND;
const EMPTY: Heads = { ready: null, delivered: null, delayed: null };

const key = (at: number, tail = "") =>
  `${ENVIRONMENT}work_${Math.floor(at / 1_000)
    .toString(16)
    .padStart(12, "0")}${tail}`;

test("a claim begins at the environment's first item until something is known", () => {
  expect(new ClaimFloors().of(ENVIRONMENT)).toEqual({ ready: ENVIRONMENT, delivered: 0, delayed: 0 });
});

test("the next claim begins where this one saw the first entry", () => {
  const floors = new ClaimFloors();
  const heads = { ready: key(NOW - 60 * SECOND, "7"), delivered: NOW - 50 * SECOND, delayed: NOW - 40 * SECOND };
  floors.raise(ENVIRONMENT, heads, NOW, floors.moment);
  expect(floors.of(ENVIRONMENT)).toEqual(heads);
});

test("an empty queue is believed but for what may be under way", () => {
  const floors = new ClaimFloors();
  floors.raise(ENVIRONMENT, EMPTY, NOW, floors.moment);
  const settled = NOW - SECOND;
  expect(floors.of(ENVIRONMENT)).toEqual({ ready: key(settled), delivered: settled, delayed: settled });
  floors.raise(ENVIRONMENT, { ready: key(NOW), delivered: NOW, delayed: NOW }, NOW, floors.moment);
  expect(floors.of(ENVIRONMENT)).toEqual({ ready: key(settled), delivered: settled, delayed: settled });
});

test("a clock that went back lowers the place", () => {
  const floors = new ClaimFloors();
  floors.raise(ENVIRONMENT, EMPTY, NOW, floors.moment);
  floors.raise(ENVIRONMENT, EMPTY, NOW - 60 * SECOND, floors.moment);
  const settled = NOW - 61 * SECOND;
  expect(floors.of(ENVIRONMENT)).toEqual({ ready: key(settled), delivered: settled, delayed: settled });
});

test("an item that comes back lowers the place, and an earlier look does not raise it again", () => {
  const floors = new ClaimFloors();
  floors.raise(ENVIRONMENT, EMPTY, NOW, floors.moment);
  const before = floors.moment;
  const old = key(NOW - 90 * SECOND, "7a");
  floors.arrived(ENVIRONMENT, old);
  expect(floors.of(ENVIRONMENT).ready).toBe(old);
  floors.raise(ENVIRONMENT, EMPTY, NOW, before);
  expect(floors.of(ENVIRONMENT).ready).toBe(old);
  floors.raise(ENVIRONMENT, EMPTY, NOW, floors.moment);
  expect(floors.of(ENVIRONMENT).ready).toBe(key(NOW - SECOND));
});

test("an item that comes before the first claim has ended is not passed over", () => {
  const floors = new ClaimFloors();
  const before = floors.moment;
  const old = key(NOW - 90 * SECOND);
  floors.arrived(ENVIRONMENT, old);
  floors.raise(ENVIRONMENT, EMPTY, NOW, before);
  expect(floors.of(ENVIRONMENT).ready).toBe(old);
});

test("a look that began too long ago raises nothing", () => {
  const floors = new ClaimFloors();
  const before = floors.moment;
  floors.arrived(ENVIRONMENT, key(NOW - 90 * SECOND));
  for (let n = 0; n < 1_000; n++) floors.arrived("env_2", `env_2work_${n}`);
  floors.raise(ENVIRONMENT, EMPTY, NOW, before);
  expect(floors.of(ENVIRONMENT).ready).toBe(ENVIRONMENT);
});

test("a look below the place lowers it to what it finds", () => {
  const floors = new ClaimFloors();
  expect(floors.lower(ENVIRONMENT, EMPTY)).toBe(false);
  floors.raise(ENVIRONMENT, EMPTY, NOW, floors.moment);
  expect(floors.environments()).toEqual([ENVIRONMENT]);
  expect(floors.lower(ENVIRONMENT, EMPTY)).toBe(false);
  expect(floors.lower(ENVIRONMENT, { ready: key(NOW), delivered: NOW, delayed: NOW })).toBe(false);
  const below = { ready: key(NOW - 9 * SECOND), delivered: NOW - 8 * SECOND, delayed: NOW - 7 * SECOND };
  expect(floors.lower(ENVIRONMENT, below)).toBe(true);
  expect(floors.of(ENVIRONMENT)).toEqual(below);
});
