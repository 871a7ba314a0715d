import { describe, expect, it } from "vitest";
import { isClaimable } from "../../../src/core/lease.ts";
import type { WorkRecord } from "../../../src/core/records.ts";
import type { QueueStats } from "../../../src/storage/store.ts";
import type { StorageHarness } from "./harness.ts";
import { useBench, WINDOW_MS } from "./support.ts";

/** The figures as anyone could count them from the list. */
function recount(items: readonly WorkRecord[], now: number): QueueStats {
  const window = WINDOW_MS * 1_000;
  const queued = items.filter((item) => item.state === "queued");
  return {
    depth: queued.filter((item) => isClaimable(item, now, window)).length,
    pending: queued.filter((item) => item.deliveredAt !== null && item.deliveredAt > now - window).length,
    oldestQueuedAt: queued.length === 0 ? null : Math.min(...queued.map((item) => item.createdAt)),
  };
}

export function statsTests(harness: StorageHarness): void {
  describe("statistics", () => {
    const bench = useBench(harness);
    const check = async (environmentId: string) => {
      const { data } = await bench().store.listWork(environmentId, { limit: 100, order: "ascending" }, {});
      const stats = await bench().store.queueStats(environmentId);
      expect(stats).toEqual(recount(data, bench().clock.now()));
      return stats;
    };

    /** By state, over all environments; a state that no item has may be left out. */
    const counted = async () => {
      const counts = await bench().store.countWork();
      return Object.fromEntries(counts.filter(({ count }) => count > 0).map(({ state, count }) => [state, count]));
    };

    it("equal a recount after every step of every kind", async () => {
      const environment = await bench().environment({ startSeconds: 2 });
      const elsewhere = await bench().environment();
      await bench().queued(elsewhere.id);
      expect(await check(environment.id)).toEqual({ depth: 0, pending: 0, oldestQueuedAt: null });
      const seen = new Set<string>();
      const note = async () => {
        seen.add(JSON.stringify({ ...(await check(environment.id)), oldestQueuedAt: 0 }));
        const lists = [environment, elsewhere].map(({ id }) =>
          bench().store.listWork(id, { limit: 100, order: "ascending" }, {}),
        );
        const items = (await Promise.all(lists)).flatMap(({ data }) => data);
        const states = new Set(items.map(({ state }) => state));
        const count = (state: string) => items.filter((item) => item.state === state).length;
        expect(await counted()).toEqual(Object.fromEntries([...states].map((state) => [state, count(state)])));
      };
      const items: WorkRecord[] = [];
      for (let n = 0; n < 6; n++) {
        items.push(await bench().queued(environment.id));
        bench().clock.advanceSeconds(1);
        await note();
      }
      const [first, second, third, fourth] = items as [WorkRecord, WorkRecord, WorkRecord, WorkRecord, ...WorkRecord[]];
      for (let n = 0; n < 3; n++) await bench().poll(environment.id).then(note);
      bench().clock.advanceMicros(WINDOW_MS * 1_000 - 1);
      await note();
      bench().clock.advanceMicros(1);
      await note();
      await bench().poll(environment.id).then(note);
      await bench().activate(first).then(note);
      await bench().release(first, 3_000).then(note);
      bench().clock.advanceSeconds(3);
      await note();
      await bench().ack(second).then(note);
      bench().clock.advanceSeconds(2);
      await bench().do("sweep", { limit: 9 }).then(note);
      await bench().activate(third).then(note);
      await bench().stop(third).then(note);
      await bench().stop(third).then(note);
      await bench().stop(fourth).then(note);
      for (const item of items) await bench().stop(item, true).then(note);
      expect(await check(environment.id)).toEqual({ depth: 0, pending: 0, oldestQueuedAt: null });
      expect(seen.size).toBeGreaterThan(8);
    });

    it("count work by state over all environments", async () => {
      const [here, there] = [await bench().environment(), await bench().environment()];
      await bench().queued(here.id);
      await bench().queued(there.id);
      await bench().activate(await bench().queued(there.id));
      await bench().stop(await bench().queued(here.id));
      expect(await counted()).toEqual({ queued: 2, active: 1, stopped: 1 });
    });

    it("count each worker once that polled within the time", async () => {
      const [here, there] = [await bench().environment(), await bench().environment()];
      const poll = async (environmentId: string, workerId: string) => {
        bench().store.notePoll(environmentId, workerId);
        await bench().poll(environmentId, workerId);
      };
      expect(await bench().store.countPollers(here.id, 30_000)).toBe(0);
      await poll(here.id, "w1");
      await poll(here.id, "w1");
      await poll(here.id, "w'2");
      await poll(there.id, "w3");
      expect(await bench().store.countPollers(here.id, 30_000)).toBe(2);
      bench().clock.advanceSeconds(30);
      await poll(here.id, "w1");
      expect(await bench().store.countPollers(here.id, 30_000)).toBe(2);
      bench().clock.advanceMicros(1);
      expect(await bench().store.countPollers(here.id, 30_000)).toBe(1);
    });
  });
}
