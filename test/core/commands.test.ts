import { beforeEach, describe, expect, it } from "vitest";
import { fault, POLICY, SECOND } from "./support/items.ts";
import { event, Scenario } from "./support/scenario.ts";

let scenario: Scenario;
beforeEach(() => {
  scenario = new Scenario();
});

const newSession = (environmentId: string) =>
  scenario.try("createSession", { environmentId, agent: null, title: null, metadata: {}, initialEvents: [] });

describe("a session", () => {
  it("is created on a self-hosted environment that is not archived, and nowhere else", () => {
    expect(newSession(scenario.environmentId).refused).toBeUndefined();
    const cloud = scenario.environment({ selfHosted: false, config: { type: "cloud" } });
    expect(fault(newSession(cloud))).toMatchObject({ kind: "invalid_request", param: "environment_id" });
    expect(fault(newSession("env_unknown")).kind).toBe("not_found");
    scenario.do("archiveEnvironment", { environmentId: scenario.environmentId });
    expect(fault(newSession(scenario.environmentId)).kind).toBe("conflict");
  });

  it("holds its own fields, and nothing of the call that made it", () => {
    const session = scenario.session(scenario.open(event("user.message")));
    expect(Object.keys(session)).not.toContain("initialEvents");
  });

  it("keeps a title that an update leaves out, and loses one that it sets to null", () => {
    const sessionId = scenario.open();
    scenario.do("updateSession", { sessionId, title: "first" });
    expect(scenario.do("updateSession", { sessionId, metadata: { a: "b" } })).toMatchObject({ title: "first" });
    expect(scenario.do("updateSession", { sessionId, title: null })).toMatchObject({
      title: null,
      metadata: { a: "b" },
    });
  });
});

describe("an environment", () => {
  it("that is archived lets its queue be worked off", () => {
    const session = scenario.open(event("user.message"));
    scenario.do("archiveEnvironment", { environmentId: scenario.environmentId });
    const { id } = scenario.take();
    scenario.say(session);
    scenario.finish(id);
    expect(scenario.live(session)?.state).toBe("queued");
  });

  it("is archived once", () => {
    const target = { environmentId: scenario.environmentId };
    expect(scenario.do("archiveEnvironment", target).archivedAt).toBe(scenario.units.clock.now());
    expect(fault(scenario.try("archiveEnvironment", target)).kind).toBe("conflict");
  });

  it("cannot be deleted while a session refers to it, archived or not, and does not exist afterwards", () => {
    const sessionId = scenario.open();
    const target = { environmentId: scenario.environmentId };
    expect(fault(scenario.try("deleteEnvironment", target)).kind).toBe("work_conflict");
    scenario.do("archiveSession", { sessionId });
    expect(fault(scenario.try("deleteEnvironment", target)).kind).toBe("work_conflict");
    scenario.do("deleteSession", { sessionId });
    scenario.do("deleteEnvironment", target);
    expect(fault(scenario.try("deleteEnvironment", target)).kind).toBe("not_found");
    expect(fault(newSession(scenario.environmentId)).kind).toBe("not_found");
    const poll = scenario.try("poll", { ...target, workerId: "w1", reclaimOlderThanMs: 0 });
    expect(fault(poll).kind).toBe("not_found");
  });

  it("is not deleted by a call that shares its commit with the creation of a session", () => {
    const { environmentId } = scenario;
    const session = { environmentId, agent: null, title: null, metadata: {}, initialEvents: [] };
    const [, deleted] = scenario.units.commit([
      { name: "createSession", input: session },
      { name: "deleteEnvironment", input: { environmentId } },
    ]);
    expect(deleted?.refused?.kind).toBe("work_conflict");
  });

  it("keeps what an update leaves out, merges metadata, and does not change its type", () => {
    const { environmentId } = scenario;
    scenario.do("updateEnvironment", { environmentId, name: "new", metadata: { a: "1", b: "2" } });
    const next = scenario.do("updateEnvironment", { environmentId, description: "text", metadata: { a: null } });
    expect(next).toMatchObject({ name: "new", description: "text", metadata: { b: "2" }, selfHosted: true });
    const config = { config: { type: "cloud" }, selfHosted: false, policy: POLICY };
    expect(fault(scenario.try("updateEnvironment", { environmentId, config }))).toMatchObject({ param: "config.type" });
  });

  it("gives a changed policy to the items that are under way", () => {
    const { environmentId } = scenario;
    scenario.open(event("user.message"));
    const { id } = scenario.take();
    const config = { config: { type: "self_hosted" }, selfHosted: true, policy: { ...POLICY, maxAttempts: 1 } };
    scenario.do("updateEnvironment", { environmentId, config });
    scenario.lapse();
    expect(scenario.work(id).state).toBe("stopped");
  });

  it("of type cloud has no queue", () => {
    const environmentId = scenario.environment({ selfHosted: false });
    const target = { environmentId, workId: "work_1", workerId: null };
    for (const outcome of [
      scenario.try("poll", { environmentId, workerId: null, reclaimOlderThanMs: 0 }),
      scenario.try("ack", target),
      scenario.try("stop", { ...target, force: false }),
    ]) {
      expect(fault(outcome)).toMatchObject({ kind: "invalid_request", param: "environment_id" });
    }
  });
});

describe("a token", () => {
  const create = (environmentId: string | null, expiresInSeconds: number | null = null) =>
    scenario.try("createToken", { name: "t", role: "worker", environmentId, hash: "00", expiresInSeconds });

  it("is bound to an environment that exists and has a queue", () => {
    expect(create(scenario.environmentId).refused).toBeUndefined();
    expect(fault(create("env_unknown")).kind).toBe("not_found");
    expect(fault(create(scenario.environment({ selfHosted: false }))).kind).toBe("invalid_request");
  });

  it("expires so many seconds after its creation, or never", () => {
    const token = create(scenario.environmentId, 90);
    expect(token.refused === undefined && token.value.expiresAt).toBe(scenario.units.clock.now() + 90 * SECOND);
    const lasting = create(scenario.environmentId);
    expect(lasting.refused === undefined && lasting.value.expiresAt).toBeNull();
  });

  it("is revoked once", () => {
    const token = create(scenario.environmentId);
    const tokenId = token.refused === undefined ? token.value.id : "";
    expect(scenario.do("revokeToken", { tokenId }).revokedAt).toBe(scenario.units.clock.now());
    expect(fault(scenario.try("revokeToken", { tokenId })).kind).toBe("not_found");
  });

  it("remembers its latest use, whatever order uses are told in", () => {
    const token = create(scenario.environmentId);
    const tokenId = token.refused === undefined ? token.value.id : "";
    const touch = (at: number) =>
      scenario.do("touchTokens", {
        usedAt: new Map([
          [tokenId, at],
          ["tok_gone", at],
        ]),
      });
    expect([touch(20), touch(10), touch(30)]).toEqual([1, 0, 1]);
    expect(scenario.units.tokens.get(tokenId)?.lastUsedAt).toBe(30);
  });
});

describe("an agent", () => {
  const create = () => scenario.do("createAgent", { fields: { name: "a", model: "m" }, metadata: {} });

  it("gets a new version by an update that has seen the current one", () => {
    const agentId = create().id;
    const next = scenario.do("updateAgent", { agentId, version: 1, fields: { model: "n" } });
    expect(next).toMatchObject({ version: 2, fields: { name: "a", model: "n" } });
    expect(fault(scenario.try("updateAgent", { agentId, version: 1, fields: {} })).kind).toBe("conflict");
  });

  it("is what it was to the sessions that began with it", () => {
    const agentId = create().id;
    const agent = { agentId, version: null };
    const input = { environmentId: scenario.environmentId, agent, title: null, metadata: {}, initialEvents: [] };
    const session = scenario.do("createSession", input).id;
    scenario.do("updateAgent", { agentId, version: 1, fields: { model: "n" } });
    scenario.do("deleteAgent", { agentId });
    expect(scenario.session(session).agent).toEqual({ id: agentId, version: 1, name: "a", model: "m", metadata: {} });
    expect(fault(scenario.try("createSession", input)).kind).toBe("not_found");
  });
});
