import type { Outcome } from "../core/faults.ts";
import type { WorkRecord } from "../core/records.ts";
import { msToMicros } from "../core/time.ts";
import type { QueueOutlook } from "../storage/store.ts";
import type { Caller } from "./caller.ts";
import type { Principal } from "./tokens.ts";

export interface PollRequest {
  /** Whose token has to be good still when an item comes. */
  readonly principal: Principal;
  readonly environmentId: string;
  readonly workerId: string | null;
  readonly reclaimOlderThanMs: number;
  /** How long to wait when nothing can be claimed; 0 not to wait. */
  readonly waitMs: number;
}

export type Answer = Outcome<WorkRecord | null>;

export interface Waiter extends PollRequest {
  readonly caller: Caller;
  readonly settle: (answer: Answer) => void;
  readonly fail: (error: unknown) => void;
  timer: NodeJS.Timeout | undefined;
  /** It has waited, so that its token was good some time ago. */
  parked: boolean;
  /** A claim of this waiter is on its way to the store, or is being taken back. */
  claiming: boolean;
  /** The caller has hung up: nothing may be claimed for it any more. */
  gone: boolean;
  /** Its time is over: answer `null` unless the claim under way brings an item. */
  expired: boolean;
}

export interface Queue {
  /** First come, first served: a set keeps the order of insertion. */
  readonly waiters: Set<Waiter>;
  /** Claims that are on their way to the store. */
  claims: number;
  /** Wake-ups that found every waiter claiming already; each is owed one more look at the queue. */
  owed: number;
  timer: NodeJS.Timeout | undefined;
  /** When the timer fires, by the process's steady clock in milliseconds. */
  timerAt: number;
  /** The store failed a look at the queue: whatever it was for may be there still. */
  missed: boolean;
  /** Whether something may come due that the timer does not know of. */
  stale: boolean;
  /** No waiter's window is shorter than this; exact after each time that the timer fired. */
  shortestWindowMs: number;
}

export const newQueue = (): Queue => ({
  waiters: new Set(),
  claims: 0,
  owed: 0,
  timer: undefined,
  timerAt: Number.POSITIVE_INFINITY,
  missed: false,
  stale: true,
  shortestWindowMs: Number.POSITIVE_INFINITY,
});

/** Also remembers it, so that a wake-up that it cannot use any more is passed on. */
export function isGone(waiter: Waiter): boolean {
  waiter.gone ||= waiter.caller.hasHungUp();
  return waiter.gone;
}

/** Whether something has become claimable for this waiter by itself. */
export function isDue(outlook: QueueOutlook, waiter: Waiter): boolean {
  if (outlook.nextAvailableAt !== null && outlook.nextAvailableAt <= outlook.now) return true;
  const window = msToMicros(waiter.reclaimOlderThanMs);
  return outlook.oldestDeliveredAt !== null && outlook.oldestDeliveredAt <= outlook.now - window;
}
