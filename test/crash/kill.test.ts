import { expect, test } from "vitest";
import { ensureBuilt } from "../support/build.ts";
import { crashRun } from "./run.ts";

const ROUNDS = 10;

test(`what was answered survives ${ROUNDS} kills under load, and nothing ever runs twice at once`, {
  timeout: 180_000,
}, async () => {
  await ensureBuilt();
  const seed = 1 + Math.floor(Math.random() * 1e9);
  const report = await crashRun(ROUNDS, seed, () => undefined);
  expect(report.violations, `seed ${seed}`).toEqual([]);
  // A run in which the kills met nothing would show nothing.
  expect(report.answered).toBeGreaterThan(100);
  expect(report.unanswered).toBeGreaterThan(0);
});
