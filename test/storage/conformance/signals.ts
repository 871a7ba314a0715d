import { describe, expect, it } from "vitest";
import type { StorageHarness } from "./harness.ts";
import { MESSAGE, useBench } from "./support.ts";

export function signalTests(harness: StorageHarness): void {
  describe("signals", () => {
    const bench = useBench(harness);

    it("tell which queues got items, and which sessions events", async () => {
      const [here, there] = [await bench().environment(), await bench().environment()];
      const ids: string[] = [];
      const [signals, ...others] = await bench().signals(async () => {
        const made = [here, here, there].map((environment) => bench().session(environment.id));
        for (const session of await Promise.all(made)) ids.push(session.id);
      });
      expect(others).toEqual([]);
      expect(signals?.queued).toEqual(
        new Map([
          [here.id, 2],
          [there.id, 1],
        ]),
      );
      expect(signals?.sessions).toEqual(new Set(ids));
    });

    it("come after the commit: whoever is told finds what it was told of", async () => {
      const environment = await bench().environment();
      const looked = new Promise<number>((resolve, reject) => {
        bench().store.onCommit(({ queued }) => {
          if (queued.has(environment.id))
            bench()
              .store.queueStats(environment.id)
              .then(({ depth }) => resolve(depth), reject);
        });
      });
      await bench().session(environment.id);
      expect(await looked).toBe(1);
    });

    it("tell deliveries, delays and what came back into a queue", async () => {
      const environment = await bench().environment();
      const item = await bench().queued(environment.id);
      const [delivered] = await bench().signals(() => bench().poll(environment.id));
      expect(delivered?.delivered).toEqual(new Set([environment.id]));
      expect(delivered?.queued.size).toBe(0);
      await bench().activate(item);
      const [delayed] = await bench().signals(() => bench().release(item, 1_000));
      expect(delayed?.delayed).toEqual(new Set([environment.id]));
      expect(delayed?.queued.size).toBe(0);
      await bench().activate(item);
      const [released] = await bench().signals(() => bench().release(item));
      expect(released?.queued.get(environment.id)).toBe(1);
      await bench().ack(item);
      bench().clock.advanceSeconds(60);
      const [lapsed] = await bench().signals(() => bench().do("sweep", { limit: 9 }));
      expect(lapsed?.queued.get(environment.id)).toBe(1);
    });

    it("tell nothing of refused calls, and nobody who does not listen any more", async () => {
      const environment = await bench().environment();
      const session = await bench().session(environment.id, []);
      await bench().do("archiveSession", { sessionId: session.id });
      const seen = await bench().signals(async () => {
        await bench().store.execute("sendEvents", {
          sessionId: session.id,
          events: [MESSAGE],
          sender: { role: "user" },
        });
      });
      expect(seen.flatMap(({ queued, sessions }) => [...queued.keys(), ...sessions])).toEqual([]);
      let calls = 0;
      const unsubscribe = bench().store.onCommit(() => calls++);
      unsubscribe();
      await bench().session(environment.id);
      expect(calls).toBe(0);
    });
  });
}
