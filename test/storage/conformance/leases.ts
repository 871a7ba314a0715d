import { describe, expect, it } from "vitest";
import type { StorageHarness } from "./harness.ts";
import { useBench } from "./support.ts";

export function leaseTests(harness: StorageHarness): void {
  describe("a sweep", () => {
    const bench = useBench(harness);
    const sweep = (limit = 100) => bench().do("sweep", { limit });

    it("ends a lease at its deadline and not a microsecond before", async () => {
      const environment = await bench().environment();
      const item = await bench().queued(environment.id);
      await bench().activate(item);
      bench().clock.advanceMicros(60_000_000 - 1);
      expect((await sweep()).lapsed).toBe(0);
      expect((await bench().item(item.id)).state).toBe("active");
      bench().clock.advanceMicros(1);
      expect((await sweep()).lapsed).toBe(1);
      expect(await bench().item(item.id)).toMatchObject({ state: "queued", attempts: 1, holder: null });
      expect((await bench().found(item.sessionId)).status).toBe("rescheduling");
    });

    it("ends a start that no heartbeat followed, and a drain", async () => {
      const environment = await bench().environment({ startSeconds: 3, drainSeconds: 20 });
      const [starting, stopping] = [await bench().queued(environment.id), await bench().queued(environment.id)];
      await bench().ack(starting);
      await bench().activate(stopping);
      await bench().stop(stopping);
      bench().clock.advanceSeconds(3);
      expect((await sweep()).lapsed).toBe(1);
      expect((await bench().item(starting.id)).state).toBe("queued");
      bench().clock.advanceSeconds(17);
      expect((await sweep()).lapsed).toBe(1);
      expect((await bench().item(stopping.id)).state).toBe("stopped");
      expect((await bench().found(stopping.sessionId)).status).toBe("idle");
    });

    it("leaves a lease alone that heartbeats extended", async () => {
      const environment = await bench().environment();
      const item = await bench().queued(environment.id);
      await bench().activate(item);
      for (let n = 0; n < 5; n++) {
        bench().clock.advanceSeconds(59);
        await bench().beat(item);
        expect((await sweep()).lapsed).toBe(0);
      }
      bench().clock.advanceSeconds(60);
      expect((await sweep()).lapsed).toBe(1);
    });

    it("judges a lease by a heartbeat of the same commit", async () => {
      const environment = await bench().environment();
      const item = await bench().queued(environment.id);
      await bench().activate(item);
      bench().clock.advanceSeconds(61);
      const [, swept] = await Promise.all([bench().beat(item), sweep()]);
      expect(swept.lapsed).toBe(0);
      expect((await bench().item(item.id)).state).toBe("active");
    });

    it("takes no more items than it may, and the rest the next time", async () => {
      const environment = await bench().environment();
      for (let n = 0; n < 5; n++) await bench().activate(await bench().queued(environment.id));
      bench().clock.advanceSeconds(60);
      expect(await sweep(3)).toEqual({ lapsed: 3, examined: 3 });
      expect(await sweep(3)).toEqual({ lapsed: 2, examined: 2 });
      expect(await sweep(3)).toEqual({ lapsed: 0, examined: 0 });
      expect((await bench().store.queueStats(environment.id)).depth).toBe(5);
    });

    it("gives an item up after its last attempt, and its session is told", async () => {
      const environment = await bench().environment({ maxAttempts: 2 });
      const item = await bench().queued(environment.id);
      for (let n = 0; n < 2; n++) {
        await bench().ack(item);
        bench().clock.advanceSeconds(60);
        await sweep();
      }
      expect(await bench().item(item.id)).toMatchObject({ state: "stopped", attempts: 2, stopRequestedAt: null });
      const { data } = await bench().store.listEvents(item.sessionId, { limit: 99, order: "ascending" }, {});
      const types = data.map((event) => event.type);
      expect(types).toContain("session.error");
      expect(types.at(-1)).toMatch(/^session\.status_/);
    });
  });
}
