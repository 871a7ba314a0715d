import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../../src/core/records.ts";
import type { StorageHarness } from "./harness.ts";
import { agentEvent, HOSTILE_TEXT, MESSAGE, POLICY, useBench } from "./support.ts";

/** Keys out of order, numbers that a database would like to rewrite, and text that it would like to refuse. */
const HOSTILE_JSON: JsonObject = {
  type: "self_hosted",
  z: [1, 1.5, -0.1, 1e300, 9_007_199_254_740_991, null, true, {}],
  a: { "": HOSTILE_TEXT, b: [], lone: "\ud800" },
  [HOSTILE_TEXT]: "key",
};
const HOSTILE_METADATA = { [HOSTILE_TEXT.slice(0, 60)]: HOSTILE_TEXT, b: "", a: "{}" };

export function recordTests(harness: StorageHarness): void {
  describe("records", () => {
    const bench = useBench(harness);

    it("of an environment come back as they were put, also after a restart", async () => {
      const made = await bench().do("createEnvironment", {
        name: HOSTILE_TEXT,
        description: HOSTILE_TEXT,
        config: HOSTILE_JSON,
        selfHosted: true,
        policy: POLICY,
        metadata: HOSTILE_METADATA,
      });
      await bench().reopen();
      const read = await bench().store.getEnvironment(made.id);
      expect(read).toEqual(made);
      expect(JSON.stringify(read?.config)).toBe(JSON.stringify(HOSTILE_JSON));
      const changed = await bench().do("updateEnvironment", {
        environmentId: made.id,
        name: "n",
        config: { config: { type: "self_hosted" }, selfHosted: true, policy: { ...POLICY, maxAttempts: 0 } },
        metadata: { b: null, c: "d" },
      });
      const archived = await bench().do("archiveEnvironment", { environmentId: made.id });
      expect(archived).toEqual({ ...changed, archivedAt: expect.any(Number), updatedAt: archived.updatedAt });
      await bench().reopen();
      expect(await bench().store.getEnvironment(made.id)).toEqual(archived);
    });

    it("of a session and its events come back as they were put", async () => {
      const environment = await bench().environment();
      const made = await bench().do("createSession", {
        environmentId: environment.id,
        agent: null,
        title: HOSTILE_TEXT,
        metadata: HOSTILE_METADATA,
        initialEvents: [{ ...MESSAGE, payload: HOSTILE_JSON }],
      });
      await bench().reopen();
      expect(await bench().store.getSession(made.id)).toEqual(made);
      const { data } = await bench().store.listEvents(made.id, { limit: 1, order: "ascending" }, {});
      expect(JSON.stringify(data[0]?.payload)).toBe(JSON.stringify(HOSTILE_JSON));
      expect((await bench().item(made.liveWorkId as string)).metadata).toEqual(HOSTILE_METADATA);
    });

    it("of a session follow its turn: every stamp and mark survives a restart", async () => {
      const environment = await bench().environment();
      const item = await bench().queued(environment.id);
      await bench().activate(item);
      bench().clock.advanceSeconds(3);
      const worker = { role: "worker", workerId: "w1" } as const;
      await bench().do("sendEvents", { sessionId: item.sessionId, events: [agentEvent()], sender: worker });
      await bench().send(item.sessionId, MESSAGE);
      await bench().do("cancelSession", { sessionId: item.sessionId });
      const before = await bench().found(item.sessionId);
      expect(before).toMatchObject({ cancelledThrough: expect.any(String), activeSince: expect.any(Number) });
      await bench().reopen();
      expect(await bench().found(item.sessionId)).toEqual(before);
      await bench().stop(item);
      const ended = await bench().found(item.sessionId);
      expect(ended).toMatchObject({ status: "idle", liveWorkId: null, activeMicros: 3_000_000, activeSince: null });
      await bench().reopen();
      expect(await bench().found(item.sessionId)).toEqual(ended);
    });

    it("of an item come back as they were put, in every state", async () => {
      const environment = await bench().environment();
      const { id } = await bench().queued(environment.id);
      const kept: unknown[] = [];
      const keep = async () => {
        const before = await bench().item(id);
        await bench().reopen();
        expect(await bench().item(id)).toEqual(before);
        kept.push(before.state);
        return before;
      };
      await keep();
      await bench().poll(environment.id, HOSTILE_TEXT.replaceAll("\u0000", ""));
      let item = await keep();
      await bench().do("ack", { environmentId: environment.id, workId: id, workerId: item.deliveredTo });
      item = await keep();
      await bench().do("heartbeat", {
        environmentId: environment.id,
        workId: id,
        workerId: null,
        expected: null,
        ttlSeconds: 33,
        declaredRetry: false,
        idempotencyKey: "key '1'",
      });
      item = await keep();
      expect(item.beat).toEqual({ replaced: null, idempotencyKey: "key '1'", ttlSeconds: 33, stopping: false });
      await bench().release(item, 1_500);
      item = await keep();
      expect(item).toMatchObject({ availableAt: expect.any(Number), formerHolder: expect.any(String), beat: null });
      await bench().activate(item, "w2");
      const session = await bench().found(item.sessionId);
      await bench().do("stop", {
        environmentId: environment.id,
        workId: id,
        force: false,
        workerId: null,
        processedThrough: session.lastEventId as string,
      });
      await bench().beat(item, null);
      item = await keep();
      expect(item).toMatchObject({ processedThrough: session.lastEventId, beat: { stopping: true } });
      await bench().stop(item);
      await keep();
      expect(kept).toEqual(["queued", "queued", "starting", "active", "queued", "stopping", "stopped"]);
    });

    it("of input that was dealt with say when, and of nothing else", async () => {
      const environment = await bench().environment();
      const item = await bench().queued(environment.id);
      await bench().activate(item);
      bench().clock.advanceSeconds(1);
      await bench().stop(item);
      await bench().stop(item);
      await bench().send(item.sessionId, MESSAGE);
      const { data } = await bench().store.listEvents(item.sessionId, { limit: 99, order: "ascending" }, {});
      const inputs = data.filter((event) => event.type === "user.message");
      expect(inputs.map((event) => event.processedAt)).toEqual([bench().clock.now(), null]);
      const others = data.filter((event) => event.type !== "user.message");
      expect(others.map((event) => event.processedAt)).toEqual(others.map(() => null));
    });

    it("of agents keep every version, also those that one commit made", async () => {
      const { id } = await bench().do("createAgent", { fields: { model: "a" }, metadata: {} });
      await Promise.all(
        [1, 2, 3].map((version) =>
          bench().do("updateAgent", { agentId: id, version, fields: { model: `${version}` } }),
        ),
      );
      const versions = await bench().store.listAgentVersions(id, null, 10);
      expect(versions.map(({ version, fields }) => [version, fields.model])).toEqual([
        [4, "3"],
        [3, "2"],
        [2, "1"],
        [1, "a"],
      ]);
    });

    it("of agents keep every version", async () => {
      const made = await bench().do("createAgent", { fields: HOSTILE_JSON, metadata: HOSTILE_METADATA });
      const input = { agentId: made.id, version: 1, fields: { model: "m" } };
      const second = await bench().do("updateAgent", input);
      const refused = await bench().store.execute("updateAgent", input);
      expect(refused.refused?.kind).toBe("conflict");
      await bench().reopen();
      expect(await bench().store.getAgent(made.id)).toEqual(second);
      const versions = await bench().store.listAgentVersions(made.id, null, 10);
      expect(versions.map(({ version, fields }) => [version, fields])).toEqual([
        [2, second.fields],
        [1, made.fields],
      ]);
      expect((await bench().store.listAgentVersions(made.id, 2, 10)).map(({ version }) => version)).toEqual([1]);
      const environment = await bench().environment();
      const snapshot = { environmentId: environment.id, title: null, metadata: {}, initialEvents: [] };
      const session = await bench().do("createSession", { ...snapshot, agent: { agentId: made.id, version: 1 } });
      const { id, fields, metadata } = made;
      expect((await bench().found(session.id)).agent).toEqual({ ...fields, id, version: 1, metadata });
      const archived = await bench().do("archiveAgent", { agentId: made.id });
      expect(await bench().store.getAgent(made.id)).toEqual(archived);
      await bench().do("deleteAgent", { agentId: made.id });
      expect(await bench().store.getAgent(made.id)).toBeUndefined();
    });

    it("that do not exist are undefined", async () => {
      const none = "0".repeat(32);
      expect(await bench().store.getEnvironment(`env_${none}`)).toBeUndefined();
      expect(await bench().store.getSession(`sess_${none}`)).toBeUndefined();
      expect(await bench().store.getWork(`work_${none}`)).toBeUndefined();
      expect(await bench().store.getAgent(`agent_${none}`)).toBeUndefined();
      expect(await bench().store.findToken("none")).toBeUndefined();
    });

    it("of deleted sessions and environments are gone for readers at once", async () => {
      const environment = await bench().environment();
      const session = await bench().session(environment.id);
      const refused = await bench().store.execute("deleteEnvironment", { environmentId: environment.id });
      expect(refused.refused?.kind).toBe("work_conflict");
      await bench().do("deleteSession", { sessionId: session.id });
      expect(await bench().store.getSession(session.id)).toBeUndefined();
      await bench().do("deleteEnvironment", { environmentId: environment.id });
      expect(await bench().store.getEnvironment(environment.id)).toBeUndefined();
    });

    it("of a tool's results: the first one wins, in one call, in one commit and later", async () => {
      const environment = await bench().environment();
      const item = await bench().queued(environment.id);
      await bench().activate(item);
      const result = (id: string) => ({
        type: "user.tool_result",
        payload: { tool_use_id: id, content: [{ type: "text", text: HOSTILE_TEXT }] },
        needsAgent: false,
      });
      const answer = (...ids: string[]) =>
        bench().store.execute("sendEvents", {
          sessionId: item.sessionId,
          events: ids.map(result),
          sender: { role: "worker", workerId: "w1" },
        });
      expect((await answer("evt_a", "evt_a")).refused?.param).toBe("events[1].tool_use_id");
      const [first, second] = await Promise.all([answer("evt_a", "evt_b"), answer("evt_b")]);
      expect(first.refused).toBeUndefined();
      expect(second.refused?.kind).toBe("invalid_request");
      expect((await answer("evt_c", "evt_a")).refused?.param).toBe("events[1].tool_use_id");
      expect((await answer("evt_c")).refused).toBeUndefined();
    });
  });
}
