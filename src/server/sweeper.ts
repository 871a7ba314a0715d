import type { Store } from "../storage/store.ts";
import { StoreUnavailable } from "../storage/store.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { ServerLimits } from "./options.ts";
import type { Authenticator } from "./tokens.ts";

/** Most items that one sweep step looks at: it bounds how long other calls wait behind it. */
const SWEEP_LIMIT = 500;
/** Most rows of deleted things that one sweep takes away, and most stopped items that it moves out of the way. */
const PURGE_LIMIT = 1_000;
const RETIRE_LIMIT = 1_000;
/** How often stopped items are looked through for old ones; at once again while there are more. */
const RETIRE_EVERY_MS = 60_000;
/** How often uses of tokens are written down. */
const TOUCH_EVERY_MS = 60_000;

const DAY_MS = 86_400_000;

type SweeperLimits = Pick<ServerLimits, "sweepMs" | "retentionDays">;

/**
 * Enforces every deadline: whoever stopped beating loses the item within one sweep. Many servers may sweep one store;
 * each lapse is decided under the store's own lock, so that it happens once.
 */
export class Sweeper {
  readonly #store: Store;
  readonly #tokens: Authenticator;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #everyMs: number;
  readonly #retentionMs: number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #touchedAt = performance.now();
  #retiredAt = Number.NEGATIVE_INFINITY;

  constructor(store: Store, tokens: Authenticator, metrics: Metrics, log: Logger, limits: SweeperLimits) {
    this.#store = store;
    this.#tokens = tokens;
    this.#metrics = metrics;
    this.#log = log;
    this.#everyMs = limits.sweepMs;
    this.#retentionMs = limits.retentionDays * DAY_MS;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.#running = this.#sweep().finally(() => {
        if (!this.#stopped) this.start();
      });
    }, this.#everyMs);
  }

  /** Waits for a sweep under way; the next server goes on where it ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** One whole sweep. Returns how many leases lapsed. */
  async runOnce(): Promise<number> {
    let lapsed = 0;
    for (;;) {
      const outcome = await this.#store.execute("sweep", { limit: SWEEP_LIMIT });
      if (outcome.refused) throw new Error(outcome.refused.message);
      lapsed += outcome.value.lapsed;
      if (outcome.value.examined < SWEEP_LIMIT) break;
    }
    this.#metrics.lapsed(lapsed);
    await this.#store.purge(PURGE_LIMIT);
    await this.#retire();
    return lapsed;
  }

  async #retire(): Promise<void> {
    if (performance.now() - this.#retiredAt < RETIRE_EVERY_MS) return;
    const retired = await this.#store.retire(RETIRE_LIMIT, this.#retentionMs);
    if (retired < RETIRE_LIMIT) this.#retiredAt = performance.now();
  }

  async #sweep(): Promise<void> {
    try {
      const lapsed = await this.runOnce();
      if (lapsed > 0) this.#log.info({ lapsed }, "leases lapsed");
      if (performance.now() - this.#touchedAt >= TOUCH_EVERY_MS) {
        this.#touchedAt = performance.now();
        await this.#tokens.flushUses();
      }
    } catch (error) {
      const away = error instanceof StoreUnavailable;
      this.#log[away ? "warn" : "error"]({ err: error }, "sweep failed; it is tried again");
    }
  }
}
