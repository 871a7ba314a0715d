import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Agent, List } from "../../src/contract/shapes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { ok, refused, unknownId } from "./support/api.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const newAgent = async (body: unknown = { name: "a", model: "m" }): Promise<Agent> =>
  ok(await server.call<Agent>("POST", "/agents", { body }));
const get = (id: string, query: string) => server.call<Agent>("GET", `/agents/${id}`, { query });
const update = (id: string, body: unknown) => server.call<Agent>("POST", `/agents/${id}`, { body });
const versions = async (id: string, query = "") =>
  ok(await server.call<List<Agent>>("GET", `/agents/${id}/versions`, { query }));

describe("versions", () => {
  test("can be read one by one, as they were", async () => {
    const first = await newAgent({ name: "a", model: { id: "m-1", speed: "fast" }, metadata: { team: "a" } });
    const second = ok(await update(first.id, { version: 1, name: "b", metadata: { team: "z" } }));
    expect(ok(await get(first.id, "version=1"))).toEqual(first);
    expect(ok(await get(first.id, "version=2"))).toEqual(second);
    refused(await get(first.id, "version=3"), 404, "not_found_error");
    expect(refused(await get(first.id, "version=0"), 400).param).toBe("version");
  });

  test("are listed from the newest on, page after page, each once, also while new ones come", async () => {
    const agent = await newAgent();
    for (let version = 1; version < 7; version++) ok(await update(agent.id, { version, name: `${version + 1}` }));
    expect((await versions(agent.id)).data.map(({ version }) => version)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    const seen: number[] = [];
    let page = await versions(agent.id, "limit=3");
    for (;;) {
      seen.push(...page.data.map(({ version }) => version));
      expect(page.has_more).toBe(page.next_page !== null);
      if (page.next_page === null) break;
      ok(await update(agent.id, { version: 7 + (seen.length - 3) / 3, name: "newer" }));
      page = await versions(agent.id, `limit=3&page=${page.next_page}`);
    }
    expect(seen).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(await versions(agent.id, "page=1")).toMatchObject({ data: [], first_id: null, next_page: null });
    refused(await server.call("GET", `/agents/${agent.id}/versions`, { query: "page=x" }), 400);
    refused(await server.call("GET", `/agents/${unknownId("agent_")}/versions`), 404);
  });
});

test("versions are walked by after_id and before_id as other lists are, with versions for ids", async () => {
  const agent = await newAgent();
  for (let version = 1; version < 7; version++) ok(await update(agent.id, { version, name: `${version + 1}` }));
  const page = async (query: string) => {
    const { data, ...cursors } = await versions(agent.id, query);
    return { data: data.map(({ version }) => version), ...cursors };
  };
  const first = { data: [7, 6, 5], first_id: "7", last_id: "5", has_more: true, next_page: "5" };
  expect(await page("limit=3")).toEqual(first);
  const second = { data: [4, 3, 2], first_id: "4", last_id: "2", has_more: true, next_page: "2" };
  expect(await page("limit=3&after_id=5")).toEqual(second);
  expect(await page("limit=3&after_id=2")).toEqual({
    ...{ data: [1], first_id: "1", last_id: "1" },
    ...{ has_more: false, next_page: null },
  });
  expect(await page("limit=3&before_id=4")).toEqual({ ...first, has_more: false, next_page: null });
  expect(await page("limit=3&before_id=1")).toEqual(second);
  expect(await page("limit=3&before_id=6")).toMatchObject({ data: [7], has_more: false });
  expect(await page("limit=3&before_id=9")).toMatchObject({ data: [], first_id: null, has_more: false });
  for (const query of ["after_id=x", "before_id=0", "page=5&after_id=5", "after_id=5&before_id=2"]) {
    refused(await server.call("GET", `/agents/${agent.id}/versions`, { query }), 400);
  }
});
