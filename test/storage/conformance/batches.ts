import { describe, expect, it } from "vitest";
import { MAX_BATCH } from "../../../src/storage/batcher.ts";
import type { StorageHarness } from "./harness.ts";
import { MESSAGE, useBench, value, WINDOW_MS } from "./support.ts";

export function batchTests(harness: StorageHarness): void {
  describe("calls that share a commit", () => {
    const bench = useBench(harness);

    it("take effect in the order in which they came, each seeing those before it", async () => {
      const { store } = bench();
      const environment = await bench().environment();
      const item = await bench().queued(environment.id);
      const target = { environmentId: environment.id, workId: item.id };
      const [ack, stop, late] = await Promise.all([
        store.execute("ack", { ...target, workerId: "w1" }),
        store.execute("stop", { ...target, force: true, workerId: "w1" }),
        store.execute("ack", { ...target, workerId: "w1" }),
      ]);
      expect(value(ack).state).toBe("starting");
      expect(value(stop).state).toBe("stopped");
      expect(late.refused?.kind).toBe("work_conflict");
      expect((await bench().item(item.id)).state).toBe("stopped");
    });

    it("do not share their refusals", async () => {
      const { store } = bench();
      const environment = await bench().environment();
      const [made, refused, alsoMade] = await Promise.all([
        bench().session(environment.id),
        store.execute("deleteSession", { sessionId: `sess_${"0".repeat(32)}` }),
        bench().session(environment.id),
      ]);
      expect(refused.refused?.kind).toBe("not_found");
      for (const { id } of [made, alsoMade]) expect((await bench().found(id)).status).toBe("running");
    });

    it("do not share a failure: the call that breaks is alone with it", async () => {
      const { store } = bench();
      const environment = await bench().environment();
      const broken = () => {
        throw new Error("this call breaks");
      };
      const poll = { environmentId: environment.id, workerId: null, reclaimOlderThanMs: WINDOW_MS };
      const [before, breaks, after] = await Promise.allSettled([
        bench().session(environment.id),
        store.execute("poll", { ...poll, abandoned: broken }),
        bench().session(environment.id),
      ]);
      expect(breaks).toMatchObject({ status: "rejected", reason: new Error("this call breaks") });
      for (const settled of [before, after]) {
        if (settled.status === "rejected") throw settled.reason;
        expect((await bench().found(settled.value.id)).liveWorkId).not.toBeNull();
      }
      expect((await bench().store.listWork(environment.id, { limit: 9, order: "ascending" }, {})).data).toHaveLength(2);
    });

    it("may be more than one commit takes", async () => {
      const environment = await bench().environment();
      const sessions = await Promise.all(
        Array.from({ length: MAX_BATCH * 2 + 1 }, () => bench().session(environment.id)),
      );
      expect(new Set(sessions.map((session) => session.id)).size).toBe(sessions.length);
      expect((await bench().store.queueStats(environment.id)).depth).toBe(sessions.length);
    });

    it("queue the next item of a session in the commit that stops the one before", async () => {
      const environment = await bench().environment();
      const item = await bench().queued(environment.id);
      await bench().activate(item);
      await bench().send(item.sessionId, MESSAGE);
      await bench().stop(item, true);
      const session = await bench().found(item.sessionId);
      expect(session.liveWorkId).not.toBeNull();
      expect(session.liveWorkId).not.toBe(item.id);
      expect((await bench().poll(environment.id))?.item.id).toBe(session.liveWorkId);
    });

    it("append events of one session in one order, whoever sends them", async () => {
      const environment = await bench().environment();
      const session = await bench().session(environment.id, []);
      const sent = await Promise.all(Array.from({ length: 40 }, () => bench().send(session.id, MESSAGE)));
      const listed = await bench().store.listEvents(session.id, { limit: 100, order: "ascending" }, {});
      const messages = listed.data.filter((event) => event.type === "user.message");
      expect(messages.map((event) => event.id)).toEqual(sent.map(([event]) => event?.id));
      expect((await bench().store.queueStats(environment.id)).depth).toBe(1);
    });
  });
}
