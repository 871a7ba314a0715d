import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TokenRecord } from "../../src/core/records.ts";
import { Authenticator, hashSecret, type Principal } from "../../src/server/tokens.ts";
import { WorkTokens } from "../../src/server/work-tokens.ts";
import type { Store } from "../../src/storage/store.ts";

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
let authenticator: Authenticator;
let principal: Principal;

beforeEach(async () => {
  steadyMs = 10_000;
  vi.spyOn(performance, "now").mockImplementation(() => steadyMs);
  const store = {
    findToken: async () => {
      asked += 1;
      return TOKEN;
    },
    now: async () => (steadyMs - 10_000) * 1_000,
  };
  authenticator = new Authenticator(store as unknown as Store, new WorkTokens("00"), undefined);
  principal = (await authenticator.fromStore(SECRET)) as Principal;
  asked = 0;
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
