import { describe, expect, it } from "vitest";
import type { TokenRole } from "../../../src/core/records.ts";
import type { StorageHarness } from "./harness.ts";
import { useBench } from "./support.ts";

export function tokenTests(harness: StorageHarness): void {
  describe("tokens", () => {
    const bench = useBench(harness);
    const make = (
      hash: string,
      role: TokenRole = "admin",
      expiresInSeconds: number | null = null,
      environmentId: string | null = null,
    ) => bench().do("createToken", { name: "t", role, environmentId, hash, expiresInSeconds });

    it("are found by the hash of their secret, whatever their state", async () => {
      const environment = await bench().environment();
      const token = await make("a", "worker", 10, environment.id);
      await bench().reopen();
      expect(await bench().store.findToken("a")).toEqual(token);
      bench().clock.advanceSeconds(10);
      expect(await bench().store.findToken("a")).toEqual(token);
      const revoked = await bench().do("revokeToken", { tokenId: token.id });
      expect(revoked.revokedAt).toBe(bench().clock.now());
      expect(await bench().store.findToken("a")).toEqual(revoked);
      const again = await bench().store.execute("revokeToken", { tokenId: token.id });
      expect(again.refused?.kind).toBe("not_found");
    });

    it("are each found among many that are looked for at once, most of which nobody has", async () => {
      const hashes = Array.from({ length: 300 }, (_, index) => `hash ${index}`);
      const known = await Promise.all([7, 150, 299].map((index) => make(`hash ${index}`)));
      const found = await Promise.all(hashes.map((hash) => bench().store.findToken(hash)));
      expect(found.filter((token) => token !== undefined)).toEqual(known);
      expect(found[150]?.hash).toBe("hash 150");
    });

    it("open the door for an administrator while one is neither revoked nor expired", async () => {
      const { store } = bench();
      expect(await store.hasAdminToken()).toBe(false);
      await make("client", "client");
      expect(await store.hasAdminToken()).toBe(false);
      await make("short", "admin", 5);
      expect(await store.hasAdminToken()).toBe(true);
      bench().clock.advanceSeconds(5);
      expect(await store.hasAdminToken()).toBe(false);
      const token = await make("lasting");
      expect(await store.hasAdminToken()).toBe(true);
      await bench().do("revokeToken", { tokenId: token.id });
      expect(await store.hasAdminToken()).toBe(false);
    });

    it("remember their last use, never an earlier one", async () => {
      const [one, two] = [await make("1"), await make("2")];
      const touch = (...uses: [string, number][]) => bench().do("touchTokens", { usedAt: new Map(uses) });
      const unknown: [string, number] = [`tok_${"0".repeat(32)}`, 1];
      expect(await touch([two.id, 20], [one.id, 10], unknown)).toBe(2);
      expect(await touch([one.id, 9], [two.id, 21])).toBe(1);
      await bench().reopen();
      expect((await bench().store.findToken("1"))?.lastUsedAt).toBe(10);
      expect((await bench().store.findToken("2"))?.lastUsedAt).toBe(21);
    });
  });
}
