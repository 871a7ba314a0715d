import { Worker } from "node:worker_threads";
import { describe } from "./failures.ts";
import type { KeeperOrder, KeeperReport, KeeperSetup, LeaseHolder } from "./keeper-messages.ts";
import type { LeaseNews, LeaseTerms } from "./lease.ts";
import { threadArguments } from "./thread-arguments.ts";

/** A lease that the thread keeps until it is dropped or lost. */
export interface HeldLease {
  /** Ends the heartbeats. Nothing is reported afterwards. */
  drop(): void;
}

/** tsc rewrites imports, but no URLs: the thread's file ends like this one, in the sources and in what is built. */
const THREAD = new URL(import.meta.url.endsWith(".ts") ? "./keeper-thread.ts" : "./keeper-thread.js", import.meta.url);

/** The main thread's side of the keeper thread: one thread for all leases of a worker. */
export class LeaseKeeper {
  readonly #setup: KeeperSetup;
  readonly #listeners = new Map<number, (news: LeaseNews) => void>();
  #thread: Worker | undefined;
  #nextLease = 1;

  constructor(setup: KeeperSetup) {
    this.#setup = setup;
  }

  /** Starts the thread. Rejects when it cannot run at all, which no later try would change. */
  start(): Promise<void> {
    const thread = this.#spawn();
    return new Promise((resolve, reject) => {
      thread.once("message", () => resolve());
      thread.once("error", reject);
      thread.once("exit", (code) => reject(new Error(`The thread for heartbeats ended at its start (code ${code}).`)));
    });
  }

  /** Begins heartbeats at once. `listener` hears of every beat, and of the loss of the lease as the last thing. */
  hold(holder: LeaseHolder, terms: LeaseTerms, listener: (news: LeaseNews) => void): HeldLease {
    const lease = this.#nextLease++;
    this.#listeners.set(lease, listener);
    this.#order({ type: "hold", lease, holder, terms });
    return {
      drop: () => {
        if (this.#listeners.delete(lease)) this.#order({ type: "drop", lease });
      },
    };
  }

  /** Ends the thread and all heartbeats. */
  async close(): Promise<void> {
    this.#listeners.clear();
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
  }

  #order(order: KeeperOrder): void {
    (this.#thread ?? this.#spawn()).postMessage(order);
  }

  #spawn(): Worker {
    const execArgv = threadArguments(process.execArgv);
    const thread = new Worker(THREAD, {
      workerData: this.#setup,
      name: "capstan-lease-keeper",
      ...(execArgv === undefined ? {} : { execArgv }),
    });
    this.#thread = thread;
    thread.on("message", (report: KeeperReport) => {
      if (report.type === "news") this.#hear(report.lease, report.news);
    });
    thread.on("error", (failure) => this.#ended(thread, describe(failure)));
    thread.on("exit", (code) => this.#ended(thread, `it exited with code ${code}`));
    return thread;
  }

  #hear(lease: number, news: LeaseNews): void {
    const listener = this.#listeners.get(lease);
    if (news.type === "lost") this.#listeners.delete(lease);
    listener?.(news);
  }

  /** Without the thread nobody keeps the leases: each counts as lost, and the next one gets a new thread. */
  #ended(thread: Worker, why: string): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    for (const lease of [...this.#listeners.keys()]) {
      const ended = `the thread for heartbeats ended: ${why}`;
      this.#hear(lease, { type: "lost", why: ended, isOver: false, takenOver: false });
    }
  }
}
