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

/**
 * @param inOrder whether calls that are made at once take effect in the order in which they were made, which the model
 *   relies on: one server promises that, several together do not
 */
export function conformanceTests(harness: StorageHarness, inOrder = true): void {
  describe(`the storage port on ${harness.name}`, () => {
    for (const suite of inOrder ? [...SUITES, modelTests] : SUITES) suite(harness);
  });
}
