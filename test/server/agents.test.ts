import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Agent, List, Session } from "../../src/contract/shapes.ts";
import { type CallOptions, startTestServer, type TestServer } from "../support/server.ts";
import { Api, ok, refused, unknownId } from "./support/api.ts";

let server: TestServer;
let api: Api;
let environmentId: string;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
  environmentId = (await api.environment()).id;
});
afterAll(() => server.stop());

const WHOLE = {
  name: "Reviewer",
  model: { id: "m-1", speed: "fast" },
  system: "Be strict.",
  description: "Reads what others wrote.",
  tools: [{ type: "bash", allowed: ["ls"] }],
  mcp_servers: [{ name: "tracker", url: "https://tracker.test" }],
  skills: [{ type: "skill", id: "s-1" }],
  metadata: { team: "a", gone: "b" },
};
const SMALL = { name: "a", model: "m", metadata: { team: "b" } };

const create = (body: unknown = { name: "a", model: "m" }) => server.call<Agent>("POST", "/agents", { body });
const newAgent = async (body?: unknown): Promise<Agent> => ok(await create(body));
const get = (id: string, query = "") => server.call<Agent>("GET", `/agents/${id}`, { query });
const update = (id: string, body: unknown) => server.call<Agent>("POST", `/agents/${id}`, { body });
const archive = (id: string) => server.call<Agent>("POST", `/agents/${id}/archive`);
const remove = (id: string) => server.call<{ id: string; type: string }>("DELETE", `/agents/${id}`);
const versions = async (id: string, query = "") =>
  ok(await server.call<List<Agent>>("GET", `/agents/${id}/versions`, { query }));
const list = async (query: Record<string, string> = {}) =>
  ok(await server.call<List<Agent>>("GET", "/agents", { query }));
const session = (agent: unknown, options: CallOptions = {}) =>
  server.call<Session>("POST", "/sessions", { ...options, body: { environment_id: environmentId, agent } });

describe("an agent", () => {
  test("is what it was made of, in its first version", async () => {
    const agent = await newAgent(WHOLE);
    expect(agent).toEqual({
      ...WHOLE,
      id: expect.stringMatching(/^agent_[0-9a-f]{32}$/),
      type: "agent",
      version: 1,
      archived_at: null,
      created_at: expect.stringMatching(/Z$/),
      updated_at: agent.created_at,
    });
    expect(ok(await get(agent.id))).toEqual(agent);
  });

  test("has nothing where its maker said nothing", async () => {
    const empty = { system: null, description: null, tools: [], mcp_servers: [], skills: [], metadata: {} };
    expect(await newAgent()).toMatchObject({ name: "a", model: "m", ...empty });
  });

  test.each([
    [{ model: "m" }, "name"],
    [{ name: "", model: "m" }, "name"],
    [{ name: "a" }, "model"],
    [{ name: "a", model: "" }, "model"],
    [{ name: "a", model: {} }, "model"],
    [{ name: "a", model: "m", tools: {} }, "tools"],
    [{ name: "a", model: "m", tools: ["bash"] }, "tools[0]"],
    [{ name: "a", model: "m", system: 1 }, "system"],
    [{ name: "a", model: "m", metadata: { k: 1 } }, "metadata"],
  ])("is not made of %j, which is refused by its %s", async (body, param) => {
    const before = await list({ limit: "1" });
    expect(refused(await create(body), 400, "invalid_request_error").param).toBe(param);
    expect(await list({ limit: "1" })).toEqual(before);
  });
});

describe("an update", () => {
  test("makes the next version: what it leaves out stays, metadata is merged, null empties", async () => {
    const agent = await newAgent(WHOLE);
    const next = ok(await update(agent.id, { version: 1, system: null, metadata: { gone: null, added: "c" } }));
    const expected = { ...agent, version: 2, system: null, metadata: { team: "a", added: "c" } };
    expect(next).toEqual({ ...expected, updated_at: expect.any(String) });
    expect(next.updated_at > agent.updated_at).toBe(true);
    expect(ok(await get(agent.id))).toEqual(next);
    expect(ok(await update(agent.id, { version: 2 })).version).toBe(3);
  });

  test("has to name the newest version, and changes nothing otherwise", async () => {
    const agent = await newAgent();
    ok(await update(agent.id, { version: 1, name: "b" }));
    for (const version of [1, 3]) {
      const fault = refused(await update(agent.id, { version, name: "lost" }), 409, "conflict_error");
      expect(fault.message).toContain("is at version 2");
    }
    expect(refused(await update(agent.id, { name: "lost" }), 400).param).toBe("version");
    expect(refused(await update(agent.id, { version: 0 }), 400).param).toBe("version");
    expect(ok(await get(agent.id))).toMatchObject({ version: 2, name: "b" });
    expect((await versions(agent.id)).data).toHaveLength(2);
  });

  test("by one of many that saw the same version succeeds, and no other", async () => {
    const agent = await newAgent();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => update(agent.id, { version: 1, name: `${index}` })),
    );
    const winners = answers.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(7);
    expect(ok(await get(agent.id))).toEqual(winners[0]?.body);
  });
});

describe("a session", () => {
  test.each([WHOLE, SMALL])("keeps all of its agent as it was, whatever becomes of it", async (made) => {
    const agent = await newAgent(made);
    const { id, ...fields } = ok(await session(agent.id));
    const { created_at: _created, updated_at: _updated, archived_at: _archived, ...snapshot } = agent;
    expect(fields.agent).toEqual(snapshot);
    ok(await update(agent.id, { version: 1, name: "renamed" }));
    ok(await archive(agent.id));
    expect(ok(await api.getSession(id)).agent).toEqual(snapshot);
    ok(await remove(agent.id));
    expect(ok(await api.getSession(id)).agent).toEqual(snapshot);
  });

  test("begins with the newest version, or with the one that it names", async () => {
    const agent = await newAgent();
    ok(await update(agent.id, { version: 1, name: "b" }));
    for (const reference of [agent.id, { type: "agent", id: agent.id }, { type: "agent", id: agent.id, version: 2 }]) {
      expect(ok(await session(reference)).agent).toMatchObject({ id: agent.id, version: 2, name: "b" });
    }
    const first = ok(await session({ type: "agent", id: agent.id, version: 1 }));
    expect(first.agent).toMatchObject({ version: 1, name: "a" });
    expect(ok(await session(null)).agent).toBeNull();
    expect(ok(await session(undefined)).agent).toBeNull();
  });

  test.each([
    ["an unknown agent", () => unknownId("agent_"), 404],
    ["an unknown version", (id: string) => ({ type: "agent", id, version: 9 }), 404],
    ["a malformed id", () => "agent_1", 400],
    ["a version that is none", (id: string) => ({ type: "agent", id, version: "1" }), 400],
    ["another type", (id: string) => ({ type: "model", id }), 400],
  ] as const)("does not begin with %s", async (_, reference, status) => {
    const agent = await newAgent();
    const fault = refused(await session(reference(agent.id)), status);
    if (status === 400) expect(fault.param).toMatch(/^agent/);
  });

  test("does not begin with an agent that is archived or deleted", async () => {
    const agent = await newAgent();
    ok(await archive(agent.id));
    refused(await session(agent.id), 409, "conflict_error");
    refused(await session({ type: "agent", id: agent.id, version: 1 }), 409, "conflict_error");
    ok(await remove(agent.id));
    refused(await session(agent.id), 404, "not_found_error");
  });

  test("is found by its agent, alone and together with the other filters", async () => {
    const [mine, other] = [await newAgent(), await newAgent()];
    const elsewhere = (await api.environment()).id;
    const made: string[] = [];
    for (const agent of [mine.id, other.id, mine.id, null]) made.push(ok(await session(agent)).id);
    const [first, , third] = made;
    const away = ok(await session(mine.id, {})).id;
    ok(await server.call("POST", `/sessions/${away}/archive`));
    const far = ok(
      await server.call<Session>("POST", "/sessions", { body: { environment_id: elsewhere, agent: mine.id } }),
    ).id;
    const found = async (query: Record<string, string>) => {
      const scoped = { agent_id: mine.id, ...query };
      return ok(await server.call<List<Session>>("GET", "/sessions", { query: scoped })).data.map(({ id }) => id);
    };
    expect(await found({})).toEqual([far, third, first]);
    expect(await found({ environment_id: environmentId })).toEqual([third, first]);
    expect(await found({ include_archived: "true" })).toEqual([far, away, third, first]);
    expect(await found({ statuses: "terminated", include_archived: "true" })).toEqual([away]);
    expect(await found({ statuses: "running" })).toEqual([]);
    expect(await found({ limit: "1", after_id: far })).toEqual([third]);
    expect(await found({ agent_id: unknownId("agent_") })).toEqual([]);
    refused(await server.call("GET", "/sessions", { query: { agent_id: "x" } }), 400);
  });
});

describe("the list of agents", () => {
  test("is newest first, without those that are archived unless they are asked for", async () => {
    const made: string[] = [];
    for (let index = 0; index < 4; index++) made.unshift((await newAgent()).id);
    ok(await archive(made[1] ?? ""));
    ok(await remove(made[2] ?? ""));
    const kept = [made[0], made[3]];
    expect((await list({ limit: "2" })).data.map(({ id }) => id)).toEqual(kept);
    const all = await list({ limit: "3", include_archived: "true" });
    expect(all.data.map(({ id }) => id)).toEqual([made[0], made[1], made[3]]);
    expect((await list({ limit: "1", after_id: made[0] ?? "" })).data.map(({ id }) => id)).toEqual([made[3]]);
    expect((await list({ limit: "1", before_id: made[3] ?? "" })).data.map(({ id }) => id)).toEqual([made[0]]);
  });

  test("shows each agent in its newest version", async () => {
    const agent = await newAgent();
    const newest = ok(await update(agent.id, { version: 1, name: "b" }));
    expect((await list({ limit: "1" })).data).toEqual([newest]);
  });
});

describe("an archived agent", () => {
  test("can be read in all of its versions and deleted, nothing else", async () => {
    const agent = await newAgent();
    ok(await update(agent.id, { version: 1, name: "b" }));
    const archived = ok(await archive(agent.id));
    expect(archived).toMatchObject({ version: 2, archived_at: expect.stringMatching(/Z$/) });
    expect(ok(await get(agent.id))).toEqual(archived);
    expect(ok(await get(agent.id, "version=1"))).toMatchObject({ name: "a", archived_at: archived.archived_at });
    expect((await versions(agent.id)).data).toHaveLength(2);
    refused(await archive(agent.id), 409, "conflict_error");
    refused(await update(agent.id, { version: 2 }), 409, "conflict_error");
    expect(ok(await remove(agent.id))).toEqual({ id: agent.id, type: "agent_deleted" });
  });
});

test("a deleted agent is gone, for every call", async () => {
  const { id } = await newAgent();
  ok(await remove(id));
  const path = `/agents/${id}`;
  for (const answer of [
    await get(id),
    await get(id, "version=1"),
    await update(id, { version: 1 }),
    await archive(id),
    await remove(id),
    await server.call("GET", `${path}/versions`),
  ]) {
    refused(answer, 404, "not_found_error");
  }
});

test("clients read and write agents, workers do not reach them", async () => {
  const client = (await api.token("client")).token;
  const worker = (await api.token("worker", environmentId)).token;
  const agent = ok(await server.call<Agent>("POST", "/agents", { token: client, body: { name: "a", model: "m" } }));
  ok(await server.call("GET", `/agents/${agent.id}`, { token: client }));
  for (const [method, path] of [
    ["GET", "/agents"],
    ["GET", `/agents/${agent.id}`],
    ["DELETE", `/agents/${agent.id}`],
  ] as const) {
    refused(await server.call(method, path, { token: worker }), 403, "permission_error");
  }
});
