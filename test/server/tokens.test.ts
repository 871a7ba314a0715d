import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { CreatedToken, List, Token } from "../../src/contract/shapes.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, ok, refused } from "./support/api.ts";
import { around } from "./support/stores.ts";

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
});
afterAll(() => server.stop());

const create = (body: unknown) => server.call<CreatedToken>("POST", "/tokens", { body });
const revoke = (id: string, replica?: number) =>
  server.call<{ id: string; type: string }>("DELETE", `/tokens/${id}`, replica === undefined ? {} : { replica });
const list = async () => ok(await server.call<List<Token>>("GET", "/tokens", { query: { limit: 100 } })).data;

test("a token shows its secret once, when it is made", async () => {
  const made = ok(await create({ name: "ci", role: "client" }));
  expect(made).toEqual({
    id: expect.stringMatching(/^tok_[0-9a-f]{32}$/),
    type: "token",
    name: "ci",
    role: "client",
    environment_id: null,
    token: expect.stringMatching(/^cpt_[A-Za-z0-9_-]{43}$/),
    created_at: expect.stringMatching(/\.\d{6}Z$/),
    expires_at: null,
  });
  const { token, ...shown } = made;
  const listed = await list();
  expect(listed[0]).toEqual({ ...shown, revoked_at: null, last_used_at: null });
  expect(JSON.stringify(listed)).not.toContain(token);
});

test("many calls at once with a token that is not known yet ask the store for it once", async () => {
  const calls: { findToken?: number } = {};
  const found =
    (original: (...values: unknown[]) => unknown) =>
    async (...values: never[]) => {
      calls.findToken = (calls.findToken ?? 0) + 1;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return original(...values);
    };
  const slow = await startTestServer({ wrapStore: (store) => around(store, { findToken: found }) });
  onTestFinished(() => slow.stop());
  const { token } = await new Api(slow).token("client");
  const asked = Array.from({ length: 20 }, () => slow.call("GET", "/sessions", { token, replica: 0 }));
  for (const answer of await Promise.all(asked)) ok(answer);
  expect(calls.findToken).toBe(1);
});

test.each(["admin", "client"])("a token of role %s is bound to no environment", async (role) => {
  const environment = await api.environment();
  const answer = await create({ name: "n", role, environment_id: environment.id });
  expect(refused(answer, 400).param).toBe("environment_id");
});

test("a worker token is bound to one environment, which exists and has a queue", async () => {
  expect(refused(await create({ name: "n", role: "worker" }), 400).param).toBe("environment_id");
  const unknown = await create({ name: "n", role: "worker", environment_id: `env_${"0".repeat(32)}` });
  refused(unknown, 404, "not_found_error");
  const cloud = ok(await server.call<{ id: string }>("POST", "/environments", { body: { name: "cloud" } }));
  const answer = await create({ name: "n", role: "worker", environment_id: cloud.id });
  expect(refused(answer, 400).param).toBe("environment_id");
  const environment = await api.environment();
  expect((await api.token("worker", environment.id)).environment_id).toBe(environment.id);
});

test("a revoked token is refused from the next call on, and within a second by every server", async () => {
  const made = await api.token("admin");
  for (const replica of server.urls.keys()) ok(await server.call("GET", "/tokens", { token: made.token, replica }));
  expect(ok(await revoke(made.id, 0))).toEqual({ id: made.id, type: "token_deleted" });
  refused(await server.call("GET", "/tokens", { token: made.token, replica: 0 }), 401);
  for (const replica of server.urls.keys()) {
    await eventually(async () => refused(await server.call("GET", "/tokens", { token: made.token, replica }), 401));
  }
  refused(await revoke(made.id), 404);
  expect((await list()).find(({ id }) => id === made.id)?.revoked_at).not.toBeNull();
});

test("a token is refused when its time is over, also while it is in use", async () => {
  const clock = new FakeClock();
  const other = await startTestServer({ clock });
  try {
    const made = await new Api(other).token("client", undefined, { expires_in_seconds: 60 });
    expect(Date.parse(made.expires_at ?? "") - Date.parse(made.created_at)).toBe(60_000);
    clock.advanceSeconds(59);
    ok(await other.call("GET", "/sessions", { token: made.token }));
    clock.advanceSeconds(1);
    await eventually(async () => refused(await other.call("GET", "/sessions", { token: made.token }), 401));
  } finally {
    await other.stop();
  }
});

test("an admin token that was made can make tokens, and can revoke itself", async () => {
  const made = await api.token("admin");
  const second = ok(
    await server.call<CreatedToken>("POST", "/tokens", { body: { name: "n", role: "admin" }, token: made.token }),
  );
  ok(await server.call("DELETE", `/tokens/${made.id}`, { token: made.token, replica: 0 }));
  refused(await server.call("GET", "/tokens", { token: made.token, replica: 0 }), 401);
  ok(await server.call("GET", "/tokens", { token: second.token }));
});

test("the scheme is read in any case, as HTTP has it", async () => {
  for (const scheme of ["bearer", "BEARER", "Bearer "]) {
    const headers = { authorization: `${scheme} ${server.adminToken}` };
    ok(await server.call("GET", "/tokens", { token: null, headers }));
  }
});

test("a list is newest first", async () => {
  const made: string[] = [];
  for (let index = 0; index < 3; index++) made.unshift((await api.token("client")).id);
  expect((await list()).slice(0, 3).map(({ id }) => id)).toEqual(made);
});
