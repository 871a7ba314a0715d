import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SharedLookup, SLOW_LOOKUP_MS } from "../../../src/storage/postgres/shared-lookup.ts";
import { StoreUnavailable } from "../../../src/storage/store.ts";

const MAX_WAITING = 5;

interface Statement {
  readonly keys: readonly string[];
  answer(): void;
  fail(): void;
}

let statements: Statement[];
let lookup: SharedLookup<string>;
beforeEach(() => {
  vi.useFakeTimers();
  statements = [];
  lookup = new SharedLookup((keys) => {
    const { promise, resolve, reject } = deferred<ReadonlyMap<string, string>>();
    statements.push({
      keys,
      answer: () => resolve(new Map(keys.filter((key) => key !== "none").map((key) => [key, `found ${key}`]))),
      fail: () => reject(new StoreUnavailable("away")),
    });
    return promise;
  }, MAX_WAITING);
});
afterEach(() => vi.useRealTimers());

function deferred<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((...both) => ([resolve, reject] = both));
  return { promise, resolve, reject };
}
/** Long enough for everything that waits for nothing, and shorter than what is slow. */
const settle = () => vi.advanceTimersByTimeAsync(1);
const asked = () => statements.map(({ keys }) => keys);

test("whoever asks while a statement is under way shares the next one, and gets what is under his own key", async () => {
  const first = lookup.get("a");
  await settle();
  const later = [lookup.get("b"), lookup.get("none"), lookup.get("b"), lookup.get("a")];
  await settle();
  expect(asked()).toEqual([["a"]]);
  statements[0]?.answer();
  expect(await first).toBe("found a");
  await settle();
  expect(asked()).toEqual([["a"], ["b", "none", "a"]]);
  statements[1]?.answer();
  expect(await Promise.all(later)).toEqual(["found b", undefined, "found b", "found a"]);
});

test("a statement that fails does so for those who share it alone", async () => {
  const failing = expect(lookup.get("a")).rejects.toThrow(StoreUnavailable);
  await settle();
  const next = lookup.get("a");
  statements[0]?.fail();
  await failing;
  await settle();
  statements[1]?.answer();
  expect(await next).toBe("found a");
});

test("behind a statement that hangs the next begins after a while", async () => {
  void lookup.get("a");
  await settle();
  const next = lookup.get("b");
  await vi.advanceTimersByTimeAsync(SLOW_LOOKUP_MS - 2);
  expect(asked()).toEqual([["a"]]);
  await vi.advanceTimersByTimeAsync(2);
  expect(asked()).toEqual([["a"], ["b"]]);
  statements[1]?.answer();
  expect(await next).toBe("found b");
});

test("when too many keys wait, one more is turned away, and they are not", async () => {
  void lookup.get("a");
  await settle();
  const waiting = ["1", "2", "3", "4", "5"].map((key) => lookup.get(key));
  await expect(lookup.get("6")).rejects.toThrow("5 lookups wait for the database already.");
  statements[0]?.answer();
  await settle();
  statements[1]?.answer();
  expect(await Promise.all(waiting)).toEqual([1, 2, 3, 4, 5].map((key) => `found ${key}`));
});
