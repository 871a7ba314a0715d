import type { Claim } from "../core/commands/work.ts";
import { done, type Outcome, refuse } from "../core/faults.ts";
import type { WorkRecord } from "../core/records.ts";
import { msToMicros } from "../core/time.ts";
import type { CommitSignals, QueueOutlook, Store } from "../storage/store.ts";
import { invalidToken } from "./admission.ts";
import type { Caller } from "./caller.ts";
import type { Principal } from "./tokens.ts";
import { type Answer, isDue, isGone, newQueue, type PollRequest, type Queue, type Waiter } from "./waiters.ts";

/** Longest delay of a timer (2^31-1 ms); a later due time is looked at again then. */
const MAX_TIMER_MS = 2_147_483_647;
/** How long after the store could not be used those who wait look again, one at a time. */
const RETRY_MS = 1_000;

type StillAllowed = (principal: Principal) => boolean | Promise<boolean>;

/**
 * Where polls wait. A new item wakes exactly one waiter; one that took an item wakes the next while more remain. Parked
 * waiters cost the store nothing: what comes due by itself (an unacknowledged delivery, a delayed release) has one timer
 * per environment.
 */
export class WaitingRoom {
  readonly #store: Store;
  readonly #maxWaiters: number;
  readonly #stillAllowed: StillAllowed;
  readonly #queues = new Map<string, Queue>();
  readonly #unsubscribe: () => void;
  #count = 0;
  #closing = false;
  /** Waiters woken since the start, for the metrics. */
  wakes = 0;

  /** @param stillAllowed asked before an item goes to a poll that has waited: tokens expire, and are revoked, meanwhile */
  constructor(store: Store, maxWaiters: number, stillAllowed: StillAllowed) {
    this.#store = store;
    this.#maxWaiters = maxWaiters;
    this.#stillAllowed = stillAllowed;
    this.#unsubscribe = store.onCommit((signals) => this.#committed(signals));
  }

  /** Polls that are waiting now. */
  get parked(): number {
    return this.#count;
  }

  /**
   * Claims an item for a caller, waiting for one if it wishes.
   *
   * One that has hung up gets none: what was claimed for it goes back.
   */
  poll(request: PollRequest, caller: Caller): Promise<Answer> {
    if (request.waitMs > 0 && this.#count >= this.#maxWaiters) {
      return Promise.resolve(
        refuse("rate_limited", `${this.#maxWaiters} polls wait on this server already. Poll again later.`),
      );
    }
    return new Promise((resolve, reject) => {
      const { principal, environmentId, workerId, reclaimOlderThanMs, waitMs } = request;
      const queue = this.#queue(environmentId);
      const waiter: Waiter = {
        principal,
        environmentId,
        workerId,
        reclaimOlderThanMs,
        waitMs,
        caller,
        settle: (answer) => {
          this.#leave(queue, waiter);
          resolve(answer);
        },
        fail: (error) => {
          this.#leave(queue, waiter);
          reject(error);
        },
        timer: undefined,
        parked: false,
        claiming: false,
        gone: false,
        expired: waitMs === 0 || this.#closing,
      };
      queue.waiters.add(waiter);
      queue.shortestWindowMs = Math.min(queue.shortestWindowMs, reclaimOlderThanMs);
      this.#count += 1;
      caller.onHangUp(() => {
        waiter.gone = true;
        if (!waiter.claiming) waiter.settle(done(null));
      });
      this.#claim(queue, waiter);
    });
  }

  /** Answers every waiter and lets nobody wait any more. */
  close(): void {
    this.#closing = true;
    this.#unsubscribe();
    for (const queue of this.#queues.values()) {
      clearTimeout(queue.timer);
      for (const waiter of queue.waiters) this.#expire(waiter);
    }
  }

  #queue(environmentId: string): Queue {
    let queue = this.#queues.get(environmentId);
    if (queue === undefined) {
      queue = newQueue();
      this.#queues.set(environmentId, queue);
    }
    return queue;
  }

  #leave(queue: Queue, waiter: Waiter): void {
    if (!queue.waiters.delete(waiter)) return;
    this.#count -= 1;
    clearTimeout(waiter.timer);
    if (queue.waiters.size > 0) return;
    clearTimeout(queue.timer);
    this.#queues.delete(waiter.environmentId);
  }

  #expire(waiter: Waiter): void {
    waiter.expired = true;
    if (!waiter.claiming) waiter.settle(done(null));
  }

  #committed({ queued, delivered, delayed, resync }: CommitSignals): void {
    if (resync !== undefined) for (const [id, queue] of this.#queues) this.#missed(id, queue, 0);
    for (const environmentId of delivered) {
      const queue = this.#queues.get(environmentId);
      if (queue !== undefined) this.#fireWithin(environmentId, queue, queue.shortestWindowMs);
    }
    for (const environmentId of delayed) {
      const queue = this.#queues.get(environmentId);
      if (queue === undefined) continue;
      queue.stale = true;
      this.#arm(environmentId, queue);
    }
    for (const [environmentId, items] of queued) {
      const queue = this.#queues.get(environmentId);
      if (queue !== undefined) this.#wake(queue, items);
    }
  }

  #wake(queue: Queue, items: number): void {
    let left = items;
    for (const waiter of queue.waiters) {
      if (left === 0) return;
      if (waiter.claiming) continue;
      left -= 1;
      this.wakes += 1;
      this.#claim(queue, waiter);
    }
    this.#owe(queue, left);
  }

  /** Those that are claiming may have looked before the item was there: each look that is owed follows one of theirs. */
  #owe(queue: Queue, looks: number): void {
    queue.owed = Math.min(queue.owed + looks, queue.waiters.size);
  }

  async #claim(queue: Queue, waiter: Waiter): Promise<void> {
    const { environmentId, workerId, reclaimOlderThanMs } = waiter;
    const abandoned = () => isGone(waiter);
    let outcome: Outcome<Claim | null>;
    let denied = false;
    waiter.claiming = true;
    queue.claims += 1;
    try {
      denied = waiter.parked && !(await this.#stillAllowed(waiter.principal));
      if (denied) outcome = invalidToken();
      else outcome = await this.#store.execute("poll", { environmentId, workerId, reclaimOlderThanMs, abandoned });
    } catch (error) {
      waiter.fail(error);
      return this.#missed(environmentId, queue);
    } finally {
      queue.claims -= 1;
      waiter.claiming = false;
    }
    if (outcome.refused) {
      waiter.settle(outcome);
      // What it was woken for is there for somebody else.
      if (denied) this.#passOn(queue);
    } else if (outcome.value === null) this.#foundNothing(queue, waiter);
    else this.#took(queue, waiter, outcome.value);
  }

  #took(queue: Queue, waiter: Waiter, claim: Claim): void {
    if (isGone(waiter)) this.#takeBack(waiter, claim.item);
    else waiter.settle(done(claim.item));
    // Those that claim now see what is left as well, and the last of them passes it on.
    if (queue.owed > 0 || (claim.more && queue.claims === 0)) this.#passOn(queue);
  }

  /** The caller hung up between the claim and the answer: the item goes back before anybody misses it. */
  async #takeBack(waiter: Waiter, item: WorkRecord): Promise<void> {
    waiter.claiming = true;
    try {
      await this.#store.execute("takeBackDelivery", {
        environmentId: item.environmentId,
        workId: item.id,
        handOut: item.handOut,
      });
      waiter.settle(done(null));
    } catch (error) {
      // The item comes due again by itself after the un-acked window.
      waiter.fail(error);
    }
  }

  #foundNothing(queue: Queue, waiter: Waiter): void {
    if (waiter.gone) {
      // Its wake-up was for an item that is still there.
      waiter.settle(done(null));
      this.#passOn(queue);
    } else if (queue.owed > 0) {
      queue.owed -= 1;
      this.#claim(queue, waiter);
    } else if (waiter.expired) waiter.settle(done(null));
    else this.#park(queue, waiter);
  }

  #passOn(queue: Queue): void {
    if (queue.owed > 0) queue.owed -= 1;
    this.#wake(queue, 1);
  }

  #park(queue: Queue, waiter: Waiter): void {
    waiter.parked = true;
    waiter.timer ??= setTimeout(() => this.#expire(waiter), waiter.waitMs);
    this.#arm(waiter.environmentId, queue);
  }

  /** Sets the environment's timer for whatever becomes claimable without a commit. */
  async #arm(environmentId: string, queue: Queue): Promise<void> {
    if (!queue.stale || queue.waiters.size === 0 || this.#closing) return;
    queue.stale = false;
    const outlook = await this.#outlook(environmentId, queue);
    if (outlook === undefined) {
      queue.stale = true;
      return;
    }
    let dueAt = outlook.nextAvailableAt ?? Number.POSITIVE_INFINITY;
    if (outlook.oldestDeliveredAt !== null) {
      dueAt = Math.min(dueAt, outlook.oldestDeliveredAt + msToMicros(queue.shortestWindowMs));
    }
    if (dueAt !== Number.POSITIVE_INFINITY) this.#fireWithin(environmentId, queue, (dueAt - outlook.now) / 1_000);
  }

  /** Makes sure that the timer fires within this time; one that fires earlier is left alone. */
  #fireWithin(environmentId: string, queue: Queue, ms: number): void {
    if (queue.waiters.size === 0 || this.#closing) return;
    const delayMs = Math.min(MAX_TIMER_MS, Math.max(1, Math.ceil(ms)));
    const at = performance.now() + delayMs;
    if (queue.timerAt <= at) return;
    clearTimeout(queue.timer);
    queue.timerAt = at;
    queue.timer = setTimeout(() => this.#due(environmentId, queue), delayMs);
  }

  /** Something may have come due: the waiter with the shortest window takes a look, and the timer is set anew. */
  async #due(environmentId: string, queue: Queue): Promise<void> {
    queue.timerAt = Number.POSITIVE_INFINITY;
    queue.stale = true;
    queue.shortestWindowMs = Number.POSITIVE_INFINITY;
    let shortest: Waiter | undefined;
    for (const waiter of queue.waiters) {
      queue.shortestWindowMs = Math.min(queue.shortestWindowMs, waiter.reclaimOlderThanMs);
      if (waiter.claiming) continue;
      if (shortest === undefined || waiter.reclaimOlderThanMs < shortest.reclaimOlderThanMs) shortest = waiter;
    }
    const outlook = shortest && (await this.#outlook(environmentId, queue));
    if (shortest === undefined || (outlook !== undefined && shortest.claiming)) {
      if (queue.missed) this.#owe(queue, 1);
      queue.missed = false;
    } else if (outlook !== undefined && (queue.missed || isDue(outlook, shortest))) {
      queue.missed = false;
      this.wakes += 1;
      await this.#claim(queue, shortest);
    }
    await this.#arm(environmentId, queue);
  }

  async #outlook(environmentId: string, queue: Queue): Promise<QueueOutlook | undefined> {
    try {
      return await this.#store.queueOutlook(environmentId);
    } catch {
      // The store is away: whoever asked looks again later, and every parked poll ends by its own timer.
      this.#missed(environmentId, queue);
      return undefined;
    }
  }

  /** Nobody knows what is there, and no commit will tell of it again: somebody has to look later. */
  #missed(environmentId: string, queue: Queue, lookWithinMs = RETRY_MS): void {
    queue.missed = true;
    this.#fireWithin(environmentId, queue, lookWithinMs);
  }
}
