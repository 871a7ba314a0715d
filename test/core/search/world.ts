import { type Decision, decide, undeliver, type WorkCommand } from "../../../src/core/decide.ts";
import type { Outcome } from "../../../src/core/faults.ts";
import { isClaimable } from "../../../src/core/lease.ts";
import type { QueuePolicy, WorkRecord } from "../../../src/core/records.ts";
import type { Micros } from "../../../src/core/time.ts";
import { QUEUED, T0 } from "../support/items.ts";
import { type Ledger, NEW_LEDGER } from "./ledger.ts";
import type { WorkerId } from "./setting.ts";

/** The rules under test. A planted bug is a system with one of them bent. */
export interface System {
  decide(item: WorkRecord, command: WorkCommand, now: Micros, policy: QueuePolicy): Outcome<Decision>;
  isClaimable(item: WorkRecord, now: Micros, window: Micros): boolean;
  undeliver(item: WorkRecord, handOut: number): WorkRecord | undefined;
}

export const CAPSTAN: System = { decide, isClaimable, undeliver };

/** What a worker knows about its own heartbeats: nothing but its own answers. */
export interface Belief {
  /** The last heartbeat that it was told of; `null`: none since its ack. */
  readonly sees: Micros | null;
  /** The expected value of the heartbeat that it sent last, in whichever hand-out; `undefined`: it has sent none. */
  readonly sent: Micros | null | undefined;
}

/** One point in a history: the item, the clock, what the workers know, and what all answers so far add up to. */
export interface World {
  readonly item: WorkRecord;
  readonly now: Micros;
  readonly beliefs: Readonly<Record<WorkerId, Belief>>;
  readonly ledger: Ledger;
  /** Whether the clock has stepped back already: once per history. */
  readonly steppedBack: boolean;
}

const NOTHING: Belief = { sees: null, sent: undefined };

export const BEGINNING: World = {
  item: QUEUED,
  now: T0,
  beliefs: { w1: NOTHING, w2: NOTHING },
  ledger: NEW_LEDGER,
  steppedBack: false,
};

/** What can happen next. `by: null` is an operator without a name. */
export type Call =
  | { readonly type: "deliver" | "ack" | "release" | "releaseLater"; readonly by: WorkerId }
  | { readonly type: "heartbeat" | "heartbeatReplyLost" | "heartbeatRetry"; readonly by: WorkerId }
  | { readonly type: "stop" | "forceStop"; readonly by: WorkerId | null }
  | { readonly type: "undeliver" | "lapse" | "timePasses" | "clockStepsBack"; readonly by: null };

/** One step of a history, as the checkers see it. */
export interface Step {
  readonly call: Call;
  readonly command: WorkCommand | undefined;
  readonly before: World;
  readonly after: World;
  readonly outcome: Outcome<Decision>;
}
