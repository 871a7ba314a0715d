import type { Clock } from "../../../src/core/clock.ts";
import type { Store } from "../../../src/storage/store.ts";

/** One empty database, as an adapter's tests make it. */
export interface TestDatabase {
  /** Opens it, as often as the adapter allows at once. Left out, the clock is the adapter's own. */
  open(clock?: Clock): Promise<Store>;
  /** Runs SQL past every adapter, as an operator with a shell would. Nothing may have the database open. */
  run(sql: string): Promise<void>;
  dispose(): Promise<void>;
}

/** What the conformance suite needs of an adapter. */
export interface StorageHarness {
  readonly name: string;
  readonly kind: Store["kind"];
  /** Whether several servers may have one database open. */
  readonly shared: boolean;
  /**
   * Whether calls that are made at once take effect in the order in which they were made: one server promises that, several
   * together do not.
   */
  readonly inOrder: boolean;
  create(): Promise<TestDatabase>;
}
