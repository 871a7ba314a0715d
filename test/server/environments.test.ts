import { afterAll, beforeAll, expect, test } from "vitest";
import type { Environment, List } from "../../src/contract/shapes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, ok, refused, unknownId } from "./support/api.ts";

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
});
afterAll(() => server.stop());

const SELF_HOSTED = { type: "self_hosted" };
const create = (fields: Record<string, unknown>) =>
  server.call<Environment>("POST", "/environments", { body: { name: "test", ...fields } });
const update = (id: string, body: unknown) => server.call<Environment>("POST", `/environments/${id}`, { body });
const read = (id: string) => server.call<Environment>("GET", `/environments/${id}`);
const archive = (id: string) => server.call<Environment>("POST", `/environments/${id}/archive`);
const remove = (id: string) => server.call<{ id: string; type: string }>("DELETE", `/environments/${id}`);

test("an environment shows what it was made of, and all of its fields", async () => {
  const config = {
    type: "self_hosted",
    setup_script: "npm ci",
    queue: { max_attempts: 2 },
    kept: { as: ["it", "is"] },
  };
  const made = ok(await create({ description: "d", config, metadata: { team: "a" } }));
  expect(made).toEqual({
    id: expect.stringMatching(/^env_[0-9a-f]{32}$/),
    type: "environment",
    name: "test",
    description: "d",
    config,
    metadata: { team: "a" },
    archived_at: null,
    created_at: expect.stringMatching(/\.\d{6}Z$/),
    updated_at: made.created_at,
  });
  expect(ok(await read(made.id))).toEqual(made);
});

test("an environment of which nothing is said is of type cloud, without a description and metadata", async () => {
  expect(ok(await create({}))).toMatchObject({ config: { type: "cloud" }, description: "", metadata: {} });
});

test.each([[{}], [null], [{ type: "other" }], ["self_hosted"], [[]]])("config %j is refused", async (config) => {
  expect(refused(await create({ config }), 400, "invalid_request_error").param).toMatch(/^config/);
});

test("an update changes what it names and keeps the rest", async () => {
  const made = ok(await create({ description: "d", config: SELF_HOSTED, metadata: { kept: "1", dropped: "2" } }));
  const renamed = ok(await update(made.id, { name: "other" }));
  expect(renamed).toEqual({ ...made, name: "other", updated_at: renamed.updated_at });
  expect(renamed.updated_at >= made.updated_at).toBe(true);
  const patched = ok(await update(made.id, { metadata: { dropped: null, added: "3" }, description: null }));
  expect(patched).toMatchObject({ name: "other", description: "", metadata: { kept: "1", added: "3" } });
  expect(ok(await update(made.id, {}))).toMatchObject({ name: "other", config: made.config });
  expect(ok(await read(made.id))).toMatchObject({ metadata: { kept: "1", added: "3" } });
});

test("the type of an environment cannot change; the rest of its config can", async () => {
  const made = ok(await create({ config: SELF_HOSTED }));
  expect(refused(await update(made.id, { config: { type: "cloud" } }), 400).param).toBe("config.type");
  const config = { setup_script: "true", queue: { start_seconds: 7 } };
  expect(ok(await update(made.id, { config })).config).toMatchObject(config);
  expect(refused(await update(made.id, { config: { queue: { start_seconds: 0 } } }), 400).param).toBe(
    "config.queue.start_seconds",
  );
  expect(refused(await update(made.id, { config: {} }), 400).message).toBe(
    "config must not be empty; leave it out to keep it as it is.",
  );
  expect(refused(await update(made.id, { config: { queue: 5 } }), 400).message).toBe("config.queue must be an object.");
  expect(ok(await read(made.id)).config).toMatchObject(config);
  const cloud = ok(await create({}));
  expect(refused(await update(cloud.id, { config: SELF_HOSTED }), 400).param).toBe("config.type");
});

test.each([
  { config: { type: "other" } },
  { config: { type: "self_hosted", queue: { start_seconds: 0 } } },
  { config: { type: "self_hosted", setup_script: 1 } },
])("bad syntax of a config %j is told before an environment is looked for", async (body) => {
  refused(await update(unknownId("env_"), body), 400, "invalid_request_error");
});

test("an archived environment takes no new session; what it has can be worked off", async () => {
  const made = ok(await create({ config: SELF_HOSTED }));
  const item = await api.queued(made.id);
  const archived = ok(await archive(made.id));
  expect(archived).toEqual({ ...made, archived_at: archived.archived_at, updated_at: archived.updated_at });
  expect(archived.archived_at).not.toBeNull();
  refused(await archive(made.id), 409, "conflict_error");
  const session = await server.call("POST", "/sessions", { body: { environment_id: made.id } });
  refused(session, 409, "conflict_error");
  expect(ok(await api.poll(made.id))?.id).toBe(item.id);
  ok(await api.on(item, "ack"));
  expect(ok(await api.on(item, "stop", { body: { force: true } })).state).toBe("stopped");
});

test("an environment with a session cannot be deleted; one without can, and is gone", async () => {
  const made = ok(await create({ config: SELF_HOSTED }));
  const session = await api.session(made.id);
  refused(await remove(made.id), 409, "invalid_request_error");
  ok(await server.call("POST", `/sessions/${session.id}/archive`));
  refused(await remove(made.id), 409, "invalid_request_error");
  ok(await server.call("DELETE", `/sessions/${session.id}`));
  expect(ok(await remove(made.id))).toEqual({ id: made.id, type: "environment_deleted" });
  for (const answer of [
    await read(made.id),
    await remove(made.id),
    await archive(made.id),
    await update(made.id, {}),
  ]) {
    refused(answer, 404, "not_found_error");
  }
  refused(await api.poll(made.id), 404, "not_found_error");
  refused(await server.call("POST", "/sessions", { body: { environment_id: made.id } }), 404, "not_found_error");
});

test("a list is newest first and leaves archived ones out unless they are asked for", async () => {
  const made: string[] = [];
  for (let index = 0; index < 5; index++) made.unshift(ok(await create({ config: SELF_HOSTED })).id);
  const [, archived = ""] = made;
  ok(await archive(archived));
  const list = async (query: Record<string, string>) => {
    const answer = await server.call<List<Environment>>("GET", "/environments", { query: { limit: "100", ...query } });
    return ok(answer).data.map(({ id }) => id);
  };
  const kept = made.filter((id) => id !== archived);
  expect((await list({})).slice(0, 4)).toEqual(kept);
  expect((await list({ include_archived: "true" })).slice(0, 5)).toEqual(made);
  expect(await list({ after_id: kept[0] ?? "", limit: "3" })).toEqual(kept.slice(1));
  expect(await list({ before_id: kept[3] ?? "", limit: "2" })).toEqual(kept.slice(1, 3));
});
