/** A queue that turns over while some forgotten transaction keeps the database from clearing anything away. */
import pg from "pg";
import { openPostgresStore } from "../../../../src/storage/postgres/store.ts";
import type { Store } from "../../../../src/storage/store.ts";
import { MESSAGE, POLICY, value } from "../../conformance/support.ts";
import { pause } from "./day.ts";

export const WAVE = 500;
/** Claims that are looked at more closely. */
const CLAIMS = 20;

export interface Turnover {
  readonly items: number;
  /** Entries of the queue's indexes that one claim reads at the end, the dead ones included. */
  readonly entriesPerClaim: number;
  /** How long a claim took, at the median, before and after. */
  readonly claimMs: { readonly before: number; readonly after: number };
  readonly seconds: number;
}

const all = <T>(count: number, make: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, make));

/** Lets this many items go through the queue with a transaction open that began before the first of them. */
export async function turnOverWithForgottenTransaction(url: string, items: number): Promise<Turnover> {
  // The look below the places, which everybody takes once in a while, is not counted here.
  const store = await openPostgresStore({ url, safetyPollMs: 3_600_000 });
  const forgotten = new pg.Client({ connectionString: url });
  forgotten.on("error", () => undefined);
  const began = performance.now();
  try {
    const queue = await Queue.in(store);
    await forgotten.connect();
    await forgotten.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    await forgotten.query("SELECT count(*) FROM capstan.work");
    await queue.turnOver(WAVE);
    const before = await queue.claims();
    for (let done = 0; done < items; done += WAVE) await queue.turnOver(WAVE);
    // The margin for commits that were under way is over by then.
    await settle(queue);
    await settle(queue);
    const read = await entriesRead(url);
    const after = await queue.claims();
    await settle(queue);
    const entriesPerClaim = ((await entriesRead(url)) - read) / CLAIMS;
    return { items, entriesPerClaim, claimMs: { before, after }, seconds: (performance.now() - began) / 1_000 };
  } finally {
    await forgotten.end();
    await store.close();
  }
}

class Queue {
  readonly #store: Store;
  readonly #environmentId: string;

  private constructor(store: Store, environmentId: string) {
    this.#store = store;
    this.#environmentId = environmentId;
  }

  static async in(store: Store): Promise<Queue> {
    const input = { name: "q", description: "", config: {}, selfHosted: true, policy: POLICY, metadata: {} };
    return new Queue(store, value(await store.execute("createEnvironment", input)).id);
  }

  /** As many items as this come into the queue, are taken and done with. */
  async turnOver(count: number): Promise<void> {
    await all(count, () => this.#add());
    await all(count, async () => this.#finish(await this.#claim()));
  }

  /** One item after the other; resolves with how long a claim takes, at the median. */
  async claims(): Promise<number> {
    const times: number[] = [];
    for (let claim = 0; claim < CLAIMS; claim++) {
      await this.#add();
      const began = performance.now();
      const workId = await this.#claim();
      times.push(performance.now() - began);
      await this.#finish(workId);
    }
    return times.sort((a, b) => a - b)[CLAIMS / 2] as number;
  }

  async #add(): Promise<void> {
    const session = {
      environmentId: this.#environmentId,
      agent: null,
      title: null,
      metadata: {},
      initialEvents: [MESSAGE],
    };
    value(await this.#store.execute("createSession", session));
  }

  async #claim(): Promise<string> {
    const poll = { environmentId: this.#environmentId, workerId: "w1", reclaimOlderThanMs: 5_000 };
    return value(await this.#store.execute("poll", poll))?.item.id as string;
  }

  async #finish(workId: string): Promise<void> {
    const target = { environmentId: this.#environmentId, workId, workerId: "w1" };
    value(await this.#store.execute("ack", target));
    value(await this.#store.execute("stop", { ...target, force: true }));
  }
}

/** Entries of the queue's indexes that were read so far, the dead ones included. */
async function entriesRead(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ n: string }>(
    `SELECT sum(idx_tup_read) AS n FROM pg_stat_user_indexes
     WHERE indexrelname IN ('work_ready', 'work_delivered', 'work_delayed')`,
  );
  await client.end();
  return Number(rows[0]?.n);
}

/** PostgreSQL's counters are written at the end of a transaction that ends a second after the last time. */
async function settle(queue: Queue): Promise<void> {
  await pause(1_500);
  await queue.turnOver(1);
}
