import { describe, expect, it } from "vitest";
import { StoreUnavailable } from "../../../src/storage/store.ts";
import type { StorageHarness } from "./harness.ts";
import { MESSAGE, useBench } from "./support.ts";

export function lifecycleTests(harness: StorageHarness): void {
  describe("a store", () => {
    const bench = useBench(harness);

    it("is ready with the schema that this program needs", async () => {
      expect(await bench().store.ready()).toEqual({ kind: harness.kind, schema: expect.any(Number) });
      expect(bench().store.kind).toBe(harness.kind);
    });

    it("holds after a restart whatever it had answered", async () => {
      const environment = await bench().environment();
      const sessions = await Promise.all(Array.from({ length: 20 }, () => bench().session(environment.id)));
      await bench().reopen();
      for (const session of sessions) expect(await bench().found(session.id)).toEqual(session);
      expect((await bench().store.queueStats(environment.id)).depth).toBe(20);
    });

    it("goes on making greater ids after a restart, even when the clock went back", async () => {
      const environment = await bench().environment();
      const session = await bench().session(environment.id);
      const events = await bench().send(session.id, MESSAGE);
      bench().clock.advanceSeconds(-86_400);
      await bench().reopen();
      const later = await bench().session(environment.id);
      expect(later.id > session.id).toBe(true);
      expect((later.liveWorkId as string) > (session.liveWorkId as string)).toBe(true);
      const [event] = await bench().send(session.id, MESSAGE);
      expect((event?.id as string) > (events[0]?.id as string)).toBe(true);
      expect((await bench().poll(environment.id))?.item.id).toBe(session.liveWorkId);
    });

    it("judges by its own clock and by no other", async () => {
      expect(await bench().store.now()).toBe(bench().clock.now());
      bench().clock.advanceSeconds(7);
      expect(await bench().store.now()).toBe(bench().clock.now());
      const environment = await bench().environment();
      expect(environment.createdAt).toBe(bench().clock.now());
    });

    it("has a clock of its own when it is given none, which is the world's to a few seconds", async () => {
      await bench().store.close();
      const store = await bench().database.open();
      const [first, second] = [await store.now(), await store.now()];
      await store.close();
      expect(Math.abs(first / 1_000 - Date.now())).toBeLessThan(30_000);
      expect(second).toBeGreaterThan(first);
    });

    it("finishes what it was asked before it closes, and refuses the rest", async () => {
      const environment = await bench().environment();
      const asked = Array.from({ length: 50 }, () => bench().session(environment.id));
      const closing = bench().store.close();
      const late = bench().store.execute("deleteEnvironment", { environmentId: environment.id });
      await expect(late).rejects.toBeInstanceOf(StoreUnavailable);
      const made = await Promise.all(asked);
      await closing;
      await expect(bench().store.getEnvironment(environment.id)).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(bench().store.ready()).rejects.toBeInstanceOf(StoreUnavailable);
      await expect(bench().store.purge(1)).rejects.toBeInstanceOf(StoreUnavailable);
      await bench().store.close();
      await bench().reopen();
      for (const session of made) expect(await bench().found(session.id)).toEqual(session);
    });

    it("keeps one secret for each name, whoever asks first", async () => {
      const [first, again] = await Promise.all([bench().store.secret("a"), bench().store.secret("a")]);
      expect(first).toMatch(/^[0-9a-f]{64}$/);
      expect(again).toBe(first);
      expect(await bench().store.secret("b")).not.toBe(first);
      await bench().reopen();
      expect(await bench().store.secret("a")).toBe(first);
    });
  });
}
