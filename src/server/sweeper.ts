import type { Store } from "../storage/store.ts";
import { StoreUnavailable } from "../storage/store.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Authenticator } from "./tokens.ts";

/** Most items that one sweep step looks at: it bounds how long other calls wait behind it. */
const SWEEP_LIMIT = 500;
/** Most rows of deleted things that one sweep takes away. */
const PURGE_LIMIT = 1_000;
/** How often uses of tokens are written down. */
const TOUCH_EVERY_MS = 60_000;

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
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #touchedAt = performance.now();

  constructor(store: Store, tokens: Authenticator, metrics: Metrics, log: Logger, everyMs: number) {
    this.#store = store;
    this.#tokens = tokens;
    this.#metrics = metrics;
    this.#log = log;
    this.#everyMs = everyMs;
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
    return lapsed;
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
