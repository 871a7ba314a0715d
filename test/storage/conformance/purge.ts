import { describe, expect, it } from "vitest";
import type { StorageHarness } from "./harness.ts";
import { agentEvent, useBench } from "./support.ts";

export function purgeTests(harness: StorageHarness): void {
  describe("a purge", () => {
    const bench = useBench(harness);

    it("takes away what was deleted, in bounded steps, and nothing else", async () => {
      const [kept, gone] = [await bench().environment(), await bench().environment()];
      const keptSession = await bench().session(kept.id);
      const sessions = [];
      for (let n = 0; n < 3; n++) {
        const session = await bench().session(gone.id);
        await bench().send(session.id, agentEvent(), agentEvent());
        sessions.push(session);
      }
      expect(await bench().store.purge(100)).toBe(0);
      for (const session of sessions) await bench().do("deleteSession", { sessionId: session.id });
      const agent = await bench().do("createAgent", { fields: {}, metadata: {} });
      await bench().do("updateAgent", { agentId: agent.id, version: 1, fields: {} });
      await bench().do("deleteAgent", { agentId: agent.id });
      await bench().do("deleteEnvironment", { environmentId: gone.id });
      let steps = 0;
      let rows = 0;
      for (let purged = 1; purged > 0; steps++) {
        purged = await bench().store.purge(4);
        expect(purged).toBeLessThanOrEqual(4);
        rows += purged;
      }
      // At least 4 events of each session, the session and its item, two versions of the agent, the agent, the environment.
      expect(rows).toBeGreaterThanOrEqual(3 * 6 + 4);
      expect(steps).toBeGreaterThanOrEqual(rows / 4);
      const page = { limit: 9, order: "ascending" } as const;
      for (const { id } of sessions) expect((await bench().store.listEvents(id, page, {})).data).toEqual([]);
      expect((await bench().store.listWork(gone.id, page, {})).data).toEqual([]);
      expect(await bench().store.listAgentVersions(agent.id, null, 9)).toEqual([]);
      expect(await bench().found(keptSession.id)).toEqual(keptSession);
      expect((await bench().poll(kept.id))?.item.id).toBe(keptSession.liveWorkId);
      expect((await bench().store.listEvents(keptSession.id, page, {})).data.length).toBeGreaterThan(0);
    });
  });
}
