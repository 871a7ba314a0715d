import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestPostgres, type TestPostgres } from "../../support/postgres.ts";
import { turnOverWithForgottenTransaction, WAVE } from "./bad-days/turnover.ts";

const ITEMS = 100_000;

let database: TestPostgres;
beforeAll(async () => {
  database = await createTestPostgres();
});
afterAll(() => database.drop());

test(`a forgotten transaction does not make claims read past the ${ITEMS} items that went through since`, async () => {
  const { entriesPerClaim } = await turnOverWithForgottenTransaction(database.url, ITEMS);
  expect(entriesPerClaim).toBeLessThan(WAVE);
}, 300_000);
