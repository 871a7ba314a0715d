import { describe, expect, it } from "vitest";
import type { StorageHarness } from "./harness.ts";
import { useBench, value, WINDOW_MS } from "./support.ts";

export function claimTests(harness: StorageHarness): void {
  describe("claims", () => {
    const bench = useBench(harness);
    const poll = (environmentId: string, reclaimOlderThanMs = WINDOW_MS, workerId: string | null = "w1") =>
      bench().store.execute("poll", { environmentId, workerId, reclaimOlderThanMs });

    it("hand out the oldest item first and each item once, also within one commit", async () => {
      const environment = await bench().environment();
      const items = [];
      for (let n = 0; n < 4; n++) items.push(await bench().queued(environment.id));
      const claims = await Promise.all([0, 1, 2, 3, 4].map(() => poll(environment.id, 0)));
      expect(claims.map((claim) => value(claim)?.item.id)).toEqual([...items.map((item) => item.id), undefined]);
    });

    it("say whether another item could be claimed", async () => {
      const environment = await bench().environment();
      for (let n = 0; n < 3; n++) await bench().queued(environment.id);
      // A hint may err, but a poll that leaves items behind and says so to nobody would strand them.
      expect((await bench().poll(environment.id))?.more).toBe(true);
      expect((await bench().poll(environment.id))?.more).toBe(true);
      expect((await bench().poll(environment.id))?.more).toBe(false);
    });

    it("see nothing of other environments", async () => {
      const [mine, other] = [await bench().environment(), await bench().environment()];
      await bench().queued(other.id);
      const claims = await Promise.all([poll(mine.id), poll(other.id), poll(mine.id)]);
      expect(claims.map((claim) => value(claim) !== null)).toEqual([false, true, false]);
    });

    it("record the time, the hand-out and the worker of the delivery, and none clears the worker", async () => {
      const environment = await bench().environment();
      const { id } = await bench().queued(environment.id);
      await bench().poll(environment.id, "w1");
      const first = await bench().item(id);
      expect(first).toMatchObject({ deliveredTo: "w1", deliveredAt: bench().clock.now(), handOut: 1 });
      bench().clock.advanceSeconds(5);
      await bench().poll(environment.id, null);
      expect(await bench().item(id)).toMatchObject({ deliveredTo: null, deliveredAt: bench().clock.now(), handOut: 2 });
    });

    it("hand a delivered item out again once the caller's own window is over, never before", async () => {
      const environment = await bench().environment();
      const { id } = await bench().queued(environment.id);
      await bench().poll(environment.id);
      bench().clock.advanceMicros(WINDOW_MS * 1_000 - 1);
      expect(await bench().poll(environment.id)).toBeNull();
      bench().clock.advanceMicros(1);
      expect((await bench().poll(environment.id))?.item.id).toBe(id);
      expect(await bench().poll(environment.id)).toBeNull();
    });

    it("each go by their own window when they share a commit", async () => {
      const environment = await bench().environment();
      const items = [];
      for (let n = 0; n < 9; n++) items.push(await bench().queued(environment.id));
      const ids = items.map((item) => item.id);
      // The youngest item was delivered longest ago: whoever has the long window finds it behind all the others.
      for (const _ of ids) await bench().poll(environment.id);
      bench().clock.advanceSeconds(10);
      for (const _ of ids.slice(0, 8)) await bench().poll(environment.id, "w2", 10_000);
      bench().clock.advanceSeconds(1);
      const [patient, eager, alsoPatient] = await Promise.all([
        poll(environment.id, 10_000),
        poll(environment.id, 0),
        poll(environment.id, 10_000),
      ]);
      expect(value(patient)?.item.id).toBe(ids[8]);
      expect(value(eager)?.item.id).toBe(ids[0]);
      expect(value(alsoPatient)).toBeNull();
    });

    it.each(["delivered", "released with a delay"])("share what was %s, and is due at once, one each", async (how) => {
      const environment = await bench().environment();
      const items = [];
      for (let n = 0; n < 3; n++) items.push(await bench().queued(environment.id));
      for (const item of items) {
        await bench().poll(environment.id);
        if (how === "delivered") continue;
        await bench().activate(item);
        await bench().release(item, 1_000);
      }
      bench().clock.advanceMicros(WINDOW_MS * 1_000);
      const claims = await Promise.all(items.map(() => poll(environment.id)));
      const taken = claims.map((claim) => value(claim)?.item.id);
      expect(taken.sort()).toEqual(items.map((item) => item.id));
      expect(await bench().poll(environment.id)).toBeNull();
    });

    it("find the next items when calls of the same commit take earlier ones out of the queue", async () => {
      const environment = await bench().environment();
      const items = [];
      for (let n = 0; n < 4; n++) items.push(await bench().queued(environment.id));
      const [first, second, third, fourth] = items as [(typeof items)[0], ...typeof items];
      const [, , , claim, other] = await Promise.all([
        bench().ack(first),
        bench().stop(second as typeof first),
        bench().do("cancelSession", { sessionId: (third as typeof first).sessionId }),
        poll(environment.id),
        poll(environment.id),
      ]);
      expect(value(claim)?.item.id).toBe(fourth?.id);
      expect(value(other)).toBeNull();
    });

    it("find the next item that is due when a call of the same commit takes the first one", async () => {
      const environment = await bench().environment();
      const first = await bench().queued(environment.id);
      const second = await bench().queued(environment.id);
      for (const _ of [first, second]) await bench().poll(environment.id);
      bench().clock.advanceMicros(WINDOW_MS * 1_000);
      const [, claim] = await Promise.all([bench().ack(first), poll(environment.id)]);
      expect(value(claim)?.item.id).toBe(second.id);
    });

    // Several servers make several commits of it, whose order nobody knows.
    const inOneCommit = harness.inOrder ? it : it.skip;
    inOneCommit("see items that calls before them in the same commit put into the queue, in their place", async () => {
      const environment = await bench().environment();
      const older = await bench().queued(environment.id);
      await bench().poll(environment.id);
      await bench().activate(older);
      const younger = await bench().queued(environment.id);
      const [, first, session, second, third] = await Promise.all([
        bench().release(older),
        poll(environment.id),
        bench().session(environment.id),
        poll(environment.id),
        poll(environment.id),
      ]);
      const taken = [first, second, third].map((claim) => value(claim)?.item.id);
      expect(taken).toEqual([older.id, younger.id, session.liveWorkId]);
    });

    it("leave a released item alone until its delay is over", async () => {
      const environment = await bench().environment();
      const item = await bench().queued(environment.id);
      await bench().poll(environment.id);
      await bench().activate(item);
      await bench().release(item, 2_000);
      const behind = await bench().queued(environment.id);
      expect((await bench().poll(environment.id))?.item.id).toBe(behind.id);
      bench().clock.advanceMicros(1_999_999);
      expect(await bench().poll(environment.id)).toBeNull();
      bench().clock.advanceMicros(1);
      expect((await bench().poll(environment.id))?.item.id).toBe(item.id);
    });

    it("take nothing for a caller that has hung up", async () => {
      const environment = await bench().environment();
      const { id } = await bench().queued(environment.id);
      const input = { environmentId: environment.id, workerId: "w1", reclaimOlderThanMs: 0 };
      expect(await bench().do("poll", { ...input, abandoned: () => true })).toBeNull();
      expect(await bench().item(id)).toMatchObject({ deliveredAt: null, handOut: 0 });
    });

    it("can be taken back, until another hand-out has begun", async () => {
      const environment = await bench().environment();
      const { id } = await bench().queued(environment.id);
      const takeBack = (handOut: number) =>
        bench().do("takeBackDelivery", { environmentId: environment.id, workId: id, handOut });
      await bench().poll(environment.id);
      expect(await takeBack(1)).toBe(true);
      expect((await bench().poll(environment.id))?.item.handOut).toBe(2);
      expect(await takeBack(1)).toBe(false);
      expect((await bench().item(id)).deliveredAt).not.toBeNull();
    });

    it("of an environment that does not exist, or has no queue, are refused", async () => {
      const cloud = await bench().do("createEnvironment", {
        name: "cloud",
        description: "",
        config: { type: "cloud" },
        selfHosted: false,
        policy: { maxAttempts: 5, drainSeconds: 600, startSeconds: 60 },
        metadata: {},
      });
      expect((await poll(`env_${"0".repeat(32)}`)).refused?.kind).toBe("not_found");
      expect((await poll(cloud.id)).refused?.kind).toBe("invalid_request");
    });

    it("foresee when a queue that is empty now may not be", async () => {
      const environment = await bench().environment();
      const nothing = { oldestDeliveredAt: null, nextAvailableAt: null };
      expect(await bench().store.queueOutlook(environment.id)).toMatchObject(nothing);
      const [delivered, delayed] = [await bench().queued(environment.id), await bench().queued(environment.id)];
      await bench().activate(delayed);
      await bench().release(delayed, 7_000);
      await bench().poll(environment.id);
      const then = bench().clock.now();
      bench().clock.advanceSeconds(1);
      await bench().queued(environment.id);
      await bench().poll(environment.id);
      expect(await bench().store.queueOutlook(environment.id)).toEqual({
        now: then + 1_000_000,
        oldestDeliveredAt: then,
        nextAvailableAt: then + 7_000_000,
      });
      await bench().ack(delivered);
      expect((await bench().store.queueOutlook(environment.id)).oldestDeliveredAt).toBe(then + 1_000_000);
    });
  });
}
