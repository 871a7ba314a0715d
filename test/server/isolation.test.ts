/** Walks every operation with a worker's credentials of one environment and the ids of another. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATION_NAMES, OPERATIONS, type Operation, type OperationName } from "../../src/contract/operations.ts";
import type { List, Session } from "../../src/contract/shapes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { ok, refused } from "./support/api.ts";
import { BASELINES } from "./support/baselines.ts";
import { inChunks } from "./support/chunks.ts";
import { createTokens, createWorld, type Ids, pathOf, snapshot, type Tokens, type World } from "./support/world.ts";

const ID = /\b(?:env|sess|work|evt|tok|agent)_[0-9a-f]{32}\b/g;

let server: TestServer;
let world: World;
let tokens: Tokens;
/** Every id that stands in anything of the other environment. */
let foreignIds: Set<string>;

beforeAll(async () => {
  server = await startTestServer();
  world = await createWorld(server);
  tokens = await createTokens(world);
  const own = new Set(JSON.stringify(await readable(world.own)).match(ID));
  foreignIds = new Set(JSON.stringify(await readable(world.foreign)).match(ID));
  for (const id of own) foreignIds.delete(id);
  expect(foreignIds.size).toBeGreaterThan(5);
});
afterAll(() => server.stop());

/** What an admin sees of one environment. */
async function readable(ids: Ids): Promise<unknown[]> {
  const environment = `/environments/${ids.environment_id}`;
  const sessions = { environment_id: ids.environment_id ?? "", limit: 100 };
  const listed = ok(await server.call<List<Session>>("GET", "/sessions", { query: sessions }));
  const events = listed.data.map(({ id }) => server.call("GET", `/sessions/${id}/events`));
  const reads = [server.call("GET", environment), server.call("GET", `${environment}/work`), ...events];
  return [listed, ...(await Promise.all(reads)).map(({ body }) => body)];
}

/** Every way to put ids of the other environment into the places where a call has ids. */
function mixes(name: OperationName): Ids[] {
  const names = OPERATIONS[name].path.match(/\{\w+\}/g)?.map((text) => text.slice(1, -1)) ?? [];
  let found: Ids[] = [{}];
  for (const param of names) {
    const both = [world.own[param] ?? "", world.foreign[param] ?? ""];
    found = found.flatMap((ids) => both.map((id) => ({ ...ids, [param]: id })));
  }
  return found;
}

/** The own ids of a good query, and those of the other environment. */
function queries(name: OperationName): string[] {
  const good = Object.entries(BASELINES[name].query?.(world) ?? {});
  const foreign = Object.values(world.foreign).flatMap((id) =>
    good.filter(([param]) => param.endsWith("_id") || param === "page").map(([param]) => `${param}=${id}`),
  );
  return ["", ...foreign];
}

function expectNothingForeign(name: OperationName, sent: string, answer: { body: unknown; headers: Headers }): void {
  const told = JSON.stringify([answer.body ?? null, ...answer.headers]);
  const leaked = told.match(ID)?.filter((id) => foreignIds.has(id) && !sent.includes(id)) ?? [];
  expect(leaked, `${name} ${sent}`).toEqual([]);
}

const CREDENTIALS = ["worker", "hand_out"] as const;
const WALK = CREDENTIALS.flatMap((role) => OPERATION_NAMES.map((name) => ({ role, name })));

test.each(WALK)(
  "$name with a credential of role $role tells nothing of another environment, and changes nothing there",
  async (given) => {
    const { role, name } = given;
    const operation: Operation = OPERATIONS[name];
    const before = await readable(world.foreign);
    const calls = mixes(name).flatMap((ids) => queries(name).map((query) => ({ ids, query })));
    await inChunks(calls, async ({ ids, query }) => {
      const path = pathOf(operation, { ...world.own, ...ids });
      // What would change the caller's own environment is left out: it is allowed, and not what this is about.
      const foreign = Object.values(ids).some((id) => Object.values(world.foreign).includes(id));
      if (operation.method !== "GET" && !foreign && operation.roles.includes(role)) return;
      const body = BASELINES[name].body?.({ ...world, own: world.foreign });
      const answer = await server.call(operation.method, path, {
        token: tokens[role],
        query,
        body,
        headers: { "worker-id": "w1" },
      });
      expectNothingForeign(name, `${path} ${query} ${JSON.stringify(body)}`, answer);
      if (foreign) expect([400, 403, 404], `${path}?${query}`).toContain(answer.status);
    });
    expect(withoutStats(await readable(world.foreign))).toEqual(withoutStats(before));
  },
);

/** Without what time alone changes. */
const withoutStats = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (name, entry) => (name === "stats" ? null : entry));

test("a worker token lists the sessions of its environment, and is refused those of another", async () => {
  const list = (token: string, query: Record<string, string>) =>
    server.call<List<Session>>("GET", "/sessions", { token, query: { limit: "100", ...query } });
  const { data } = ok(await list(tokens.worker, { include_archived: "true" }));
  expect(data.length).toBeGreaterThan(0);
  expect(new Set(data.map((session) => session.environment_id))).toEqual(new Set([world.own.environment_id]));
  refused(await list(tokens.worker, { environment_id: world.foreign.environment_id ?? "" }), 403, "permission_error");
});

test("a Work-Token reaches no other item and no other session of its own environment", async () => {
  const neighbour = await world.api.queued(world.own.environment_id ?? "");
  const item = `/environments/${world.own.environment_id}/work/${neighbour.id}`;
  const session = `/sessions/${neighbour.data.id}`;
  const token = tokens.hand_out;
  const before = await snapshot(world);
  for (const [method, path] of [
    ["GET", item],
    ["POST", item],
    ["POST", `${item}/ack`],
    ["POST", `${item}/heartbeat`],
    ["POST", `${item}/stop`],
    ["POST", `${item}/release`],
    ["GET", session],
    ["GET", `${session}/events`],
    ["GET", `${session}/events/stream`],
    ["POST", `${session}/events`],
    ["GET", `/environments/${world.own.environment_id}/work`],
    ["GET", `/environments/${world.own.environment_id}/work/poll`],
    ["GET", "/sessions"],
    ["GET", "/environments"],
  ] as const) {
    refused(await server.call(method, path, { token }), 403, "permission_error");
  }
  expect(await snapshot(world)).toEqual(before);
});

test("the name of another environment's worker is no key to what it holds", async () => {
  const { environment_id = "", work_id = "", session_id = "" } = world.foreign;
  const item = { id: work_id, environment_id };
  for (const verb of ["ack", "heartbeat", "stop", "release"]) {
    refused(await world.api.on(item, verb, { token: tokens.worker, worker: "w1" }), 403, "permission_error");
  }
  const reply = { type: "agent.message", content: [{ type: "text", text: "x" }] };
  const sent = await world.api.send(session_id, [reply], { token: tokens.worker, worker: "w1" });
  refused(sent, 403, "permission_error");
  const answers = ok(await world.api.poll(world.own.environment_id ?? "", { token: tokens.worker, worker: "w1" }));
  expect(answers?.environment_id ?? world.own.environment_id).toBe(world.own.environment_id);
});
