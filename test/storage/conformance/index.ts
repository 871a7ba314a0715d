/** The promises of the storage port, as tests that every adapter runs. */
import { describe } from "vitest";
import { batchTests } from "./batches.ts";
import { claimTests } from "./claims.ts";
import { constraintTests } from "./constraints.ts";
import type { StorageHarness } from "./harness.ts";
import { leaseTests } from "./leases.ts";
import { lifecycleTests } from "./lifecycle.ts";
import { listTests } from "./lists.ts";
import { modelTests } from "./model.ts";
import { purgeTests } from "./purge.ts";
import { recordTests } from "./records.ts";
import { signalTests } from "./signals.ts";
import { statsTests } from "./stats.ts";
import { tokenTests } from "./tokens.ts";

const SUITES = [
  lifecycleTests,
  batchTests,
  claimTests,
  leaseTests,
  recordTests,
  listTests,
  statsTests,
  signalTests,
  tokenTests,
  purgeTests,
  constraintTests,
];

export function conformanceTests(harness: StorageHarness): void {
  describe(`the storage port on ${harness.name}`, () => {
    // The model relies on the order of calls.
    for (const suite of harness.inOrder ? [...SUITES, modelTests] : SUITES) suite(harness);
  });
}
