import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { WORK_STATES } from "../core/transitions.ts";
import { type Store, StoreUnavailable } from "../storage/store.ts";
import type { EventHub } from "./event-hub.ts";
import { RequestDurations } from "./request-durations.ts";
import type { StoreCalls } from "./store-calls.ts";
import type { WaitingRoom } from "./waiting-room.ts";

/** What `/metrics` shows. Counts of the queue are taken when they are asked for, not kept beside it. */
export class Metrics {
  readonly #registry = new Registry();
  readonly requests = new RequestDurations();
  readonly #lapses: Counter;

  constructor(store: Store, calls: StoreCalls, waitingRoom: WaitingRoom, events: EventHub) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.requests.register(this.#registry);
    this.#lapses = new Counter({
      name: "capstan_leases_lapsed_total",
      help: "Leases that ended without a stop.",
      registers,
    });
    new Gauge({
      name: "capstan_polls_parked",
      help: "Polls that wait for work now.",
      registers,
      collect() {
        this.set(waitingRoom.parked);
      },
    });
    new Gauge({
      name: "capstan_event_streams_open",
      help: "Event streams that are open now.",
      registers,
      collect() {
        this.set(events.open);
      },
    });
    new Counter({
      name: "capstan_poll_wakes_total",
      help: "Parked polls that were woken to look for work.",
      registers,
      collect() {
        this.reset();
        this.inc(waitingRoom.wakes);
      },
    });
    new Counter({
      name: "capstan_store_calls_total",
      help: "Calls to the store, by command or read.",
      labelNames: ["call"],
      registers,
      collect() {
        this.reset();
        for (const [call, count] of calls.counts) this.inc({ call }, count);
      },
    });
    new Gauge({
      name: "capstan_work_items",
      help: "Work items by state, over all environments.",
      labelNames: ["state"],
      registers,
      async collect() {
        // Without the database there is nothing to say of the items, and all the more of the rest.
        const counts = await store.countWork().catch(unlessAway);
        this.reset();
        if (counts === undefined) return;
        for (const state of WORK_STATES) this.set({ state }, 0);
        for (const { state, count } of counts) this.set({ state }, count);
      },
    });
    new Gauge({
      name: "capstan_store_up",
      help: "Whether the database answers: 1 or 0.",
      registers,
      async collect() {
        this.set((await store.ready().catch(unlessAway)) === undefined ? 0 : 1);
      },
    });
  }

  lapsed(count: number): void {
    if (count > 0) this.#lapses.inc(count);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

function unlessAway(error: unknown): undefined {
  if (!(error instanceof StoreUnavailable)) throw error;
}
