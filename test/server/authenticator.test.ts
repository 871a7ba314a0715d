import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TokenRecord } from "../../src/core/records.ts";
import { Authenticator, hashSecret, type Principal } from "../../src/server/tokens.ts";
import { WorkTokens } from "../../src/server/work-tokens.ts";
import { type Store, StoreUnavailable } from "../../src/storage/store.ts";

const SECRET = "cpt_secret";
const TOKEN: TokenRecord = {
  id: "tok_1",
  name: "w",
  role: "worker",
  environmentId: "env_1",
  hash: hashSecret(SECRET),
  createdAt: 0,
  expiresAt: 500_000,
  revokedAt: null,
  lastUsedAt: null,
};

let steadyMs = 0;
let asked = 0;
let clockAsked = 0;
/** What the next answer about the token waits for. */
let held: Promise<void> = Promise.resolve();
let writesFail = false;
let written: ReadonlyMap<string, number>[] = [];
let authenticator: Authenticator;
let principal: Principal;

beforeEach(async () => {
  steadyMs = 10_000;
  vi.spyOn(performance, "now").mockImplementation(() => steadyMs);
  const store = {
    findToken: async (hash: string) => {
      asked += 1;
      await held;
      return hash === TOKEN.hash ? TOKEN : undefined;
    },
    execute: async (_name: string, { usedAt }: { usedAt: ReadonlyMap<string, number> }) => {
      if (writesFail) throw new StoreUnavailable("away");
      written.push(usedAt);
    },
    now: async () => {
      clockAsked += 1;
      return (steadyMs - 10_000) * 1_000;
    },
  };
  authenticator = new Authenticator(store as unknown as Store, new WorkTokens("00"), undefined);
  principal = (await authenticator.fromStore(SECRET)) as Principal;
  asked = 0;
  clockAsked = 0;
});
afterEach(() => vi.restoreAllMocks());

test("a token that expires within the second in which it is believed is not believed any longer than that", async () => {
  steadyMs += 499;
  expect(authenticator.fromMemory(SECRET)).toBe(principal);
  expect(authenticator.isStillTrusted(principal)).toBe(true);
  steadyMs += 1;
  expect(authenticator.fromMemory(SECRET)).toBeUndefined();
  expect(await authenticator.isStillTrusted(principal)).toBe(false);
});

test("the store is asked once for all who have waited with one token", async () => {
  steadyMs += 600;
  await Promise.all(Array.from({ length: 100 }, () => authenticator.isStillTrusted(principal)));
  expect(asked).toBe(1);
});

test("the clock is not asked about a token that nobody has", async () => {
  expect(await authenticator.fromStore("cpt_guessed")).toBeUndefined();
  expect([asked, clockAsked]).toEqual([1, 0]);
});

test("a second of trust begins with the question: the answer may be from before a revocation elsewhere", async () => {
  const findToken = async () => {
    steadyMs += 900;
    return { ...TOKEN, expiresAt: null };
  };
  const store = { findToken, now: async () => 0 } as unknown as Store;
  authenticator = new Authenticator(store, new WorkTokens("00"), undefined);
  await authenticator.fromStore(SECRET);
  steadyMs += 100;
  expect(authenticator.fromMemory(SECRET)).toBeDefined();
  steadyMs += 1;
  expect(authenticator.fromMemory(SECRET)).toBeUndefined();
});

test("a token that expires while the clock's answer is on its way is not believed from memory", async () => {
  const now = async () => {
    steadyMs += 400;
    return 0;
  };
  const store = { findToken: async () => ({ ...TOKEN, expiresAt: 300_000 }), now } as unknown as Store;
  authenticator = new Authenticator(store, new WorkTokens("00"), undefined);
  await authenticator.fromStore(SECRET);
  expect(authenticator.fromMemory(SECRET)).toBeUndefined();
});

test("an answer that was asked for before a token was revoked is not kept after it", async () => {
  steadyMs += 2_000;
  let letGo = (): void => undefined;
  held = new Promise((resolve) => {
    letGo = resolve;
  });
  authenticator = new Authenticator(
    { findToken: () => held.then(() => ({ ...TOKEN, expiresAt: null })), now: async () => 0 } as unknown as Store,
    new WorkTokens("00"),
    undefined,
  );
  const asking = authenticator.fromStore(SECRET);
  authenticator.forget(TOKEN);
  letGo();
  await asking;
  expect(authenticator.fromMemory(SECRET)).toBeUndefined();
  // One that is asked for from then on is kept again.
  await authenticator.fromStore(SECRET);
  expect(authenticator.fromMemory(SECRET)).toBeDefined();
});

test("uses of tokens that could not be written are written the next time", async () => {
  written = [];
  writesFail = true;
  await expect(authenticator.flushUses()).rejects.toThrow("away");
  writesFail = false;
  await authenticator.flushUses();
  expect(written.map((usedAt) => [...usedAt.keys()])).toEqual([[TOKEN.id]]);
  await authenticator.flushUses();
  expect(written).toHaveLength(1);
});
