import { afterAll, beforeAll, expect, test } from "vitest";
import { ensureBuilt } from "../../support/build.ts";
import type { PostgresServer } from "../../support/postgres-server.ts";
import { BAD_DAYS } from "./bad-days/days.ts";
import { inPlace, startServer } from "./bad-days/place.ts";

/** Until everything goes on by itself, once what was done is over. */
const RECOVERY_MS = 15_000;

let server: PostgresServer;
beforeAll(async () => {
  await ensureBuilt();
  server = await startServer();
}, 180_000);
afterAll(() => server.stop());

test.each(BAD_DAYS.map((day, index) => ({ ...day, index })))("$name", { timeout: 120_000 }, async ({ run, index }) => {
  const report = await inPlace(server, `day_${index}_${Date.now()}`, run);
  expect(report.violations).toEqual([]);
  expect(report.wrong).toEqual([]);
  expect(report.recoveryMs).toBeLessThan(RECOVERY_MS);
  expect(report.items).toBeGreaterThan(5);
});
