import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { CommandInput } from "../../src/core/commands/index.ts";
import { IdSource } from "../../src/core/ids.ts";
import type { Changes, Loaded, Needs } from "../../src/core/unit.ts";
import { type Backend, Batcher, SLOW_BATCH_MS, WORTH_A_BATCH } from "../../src/storage/batcher.ts";
import { StoreUnavailable } from "../../src/storage/store.ts";

/** A database whose batches end when the test says so. */
class HeldBackend implements Backend {
  /** How many calls each batch has, in the order in which they began. */
  readonly sizes: number[] = [];
  readonly #held: (() => void)[] = [];

  transact(needs: Needs, _decide: (loaded: Loaded) => Changes): Promise<void> {
    this.sizes.push(needs.works.size);
    return new Promise((_resolve, reject) => this.#held.push(() => reject(new StoreUnavailable("let go"))));
  }

  endFirst(): void {
    this.#held.shift()?.();
  }
}

describe("batches of a database that answers later", () => {
  let backend: HeldBackend;
  let batcher: Batcher;
  let made = 0;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    backend = new HeldBackend();
    batcher = new Batcher(backend, new IdSource(() => "00"), () => undefined, 2);
  });
  afterEach(() => void vi.useRealTimers());

  function call(count = 1): void {
    for (let index = 0; index < count; index++) {
      made += 1;
      const input = { environmentId: "env_1", workId: `work_${made}`, workerId: null } as CommandInput<"ack">;
      batcher.execute("ack", input).catch(() => undefined);
    }
  }
  const turns = async () => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };

  test("calls that arrive while one is under way share the next", async () => {
    call();
    await turns();
    call(2);
    await turns();
    call(3);
    await turns();
    expect(backend.sizes).toEqual([1]);
    backend.endFirst();
    await turns();
    expect(backend.sizes).toEqual([1, 5]);
  });

  test("one that takes long holds nobody up, and never are there more than allowed", async () => {
    call();
    await turns();
    call(2);
    await turns();
    vi.advanceTimersByTime(SLOW_BATCH_MS - 1);
    await turns();
    expect(backend.sizes).toEqual([1]);
    vi.advanceTimersByTime(1);
    await turns();
    expect(backend.sizes).toEqual([1, 2]);
    call(4);
    vi.advanceTimersByTime(SLOW_BATCH_MS * 10);
    await turns();
    expect(backend.sizes).toEqual([1, 2]);
    backend.endFirst();
    await turns();
    vi.advanceTimersByTime(SLOW_BATCH_MS);
    await turns();
    expect(backend.sizes).toEqual([1, 2, 4]);
  });

  test("enough calls wait for no other, unless as many batches as are allowed are under way", async () => {
    call();
    await turns();
    call(WORTH_A_BATCH - 1);
    await turns();
    expect(backend.sizes).toEqual([1]);
    call();
    await turns();
    expect(backend.sizes).toEqual([1, WORTH_A_BATCH]);
    call(WORTH_A_BATCH);
    await turns();
    expect(backend.sizes).toEqual([1, WORTH_A_BATCH]);
  });

  test("many who come at once are two batches, as long as both are worth it", async () => {
    call(2 * WORTH_A_BATCH - 1);
    await turns();
    expect(backend.sizes).toEqual([2 * WORTH_A_BATCH - 1]);
    backend.endFirst();
    await turns();
    backend.sizes.length = 0;
    call(2 * WORTH_A_BATCH + 1);
    await turns();
    expect(backend.sizes).toEqual([WORTH_A_BATCH + 1, WORTH_A_BATCH]);
    call(3 * WORTH_A_BATCH);
    await turns();
    backend.endFirst();
    await turns();
    // Beside the one that is still under way there is room for this one alone.
    expect(backend.sizes).toEqual([WORTH_A_BATCH + 1, WORTH_A_BATCH, 3 * WORTH_A_BATCH]);
  });

  test("closing waits for the calls that were accepted", async () => {
    call();
    await turns();
    call();
    let closed = false;
    const closing = batcher.close().then(() => {
      closed = true;
    });
    backend.endFirst();
    await turns();
    expect([backend.sizes, closed]).toEqual([[1, 1], false]);
    backend.endFirst();
    await closing;
  });
});

test("a listener that breaks does not make a batch that is committed happen again", async () => {
  let commits = 0;
  const backend: Backend = {
    transact: (_needs, decide) => {
      decide({ now: 1, work: () => undefined, environment: () => undefined } as unknown as Loaded);
      commits += 1;
    },
  };
  const broken = new Error("a listener is broken");
  const batcher = new Batcher(backend, new IdSource(() => "00"), () => {
    throw broken;
  });
  const uncaught: unknown[] = [];
  const listeners = process.rawListeners("uncaughtException") as NodeJS.UncaughtExceptionListener[];
  process.removeAllListeners("uncaughtException").on("uncaughtException", (error) => void uncaught.push(error));
  try {
    const input = { environmentId: "env_1", workId: "work_1", workerId: null } as CommandInput<"ack">;
    const outcomes = await Promise.all([batcher.execute("ack", input), batcher.execute("ack", input)]);
    expect(outcomes.map(({ refused }) => refused?.kind)).toEqual(["not_found", "not_found"]);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
  expect([commits, uncaught]).toEqual([1, [broken]]);
});
