import { afterAll, beforeAll, expect, test } from "vitest";
import type { List, SessionEvent } from "../../src/contract/shapes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, ok, refused } from "./support/api.ts";

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
});
afterAll(() => server.stop());

const text = (words: string) => [{ type: "text", text: words }];
const EVENTS = [
  { type: "user.message", content: text("a") },
  { type: "user.interrupt" },
  { type: "system.message", content: text("b") },
];

test.each([
  ["separated by commas", "types=user.interrupt,system.message"],
  ["repeated", "types=user.interrupt&types=system.message"],
  ["with brackets", "types[]=user.interrupt&types[]=system.message"],
  ["with encoded brackets", "types%5B%5D=user.interrupt&types%5B%5D=system.message"],
  ["with and without brackets", "types=user.interrupt&types[]=system.message"],
])("a list in the query can be written %s", async (_how, query) => {
  const environment = await api.environment();
  const session = await api.session(environment.id);
  ok(await server.call("POST", `/sessions/${session.id}/events`, { body: { events: EVENTS } }));
  const { data } = ok(await server.call<List<SessionEvent>>("GET", `/sessions/${session.id}/events?${query}`));
  expect(data.map((event) => event.type)).toEqual(["user.interrupt", "system.message"]);
});

test("brackets do not make a list of a parameter that is none", async () => {
  expect(refused(await server.call("GET", "/sessions?limit[]=1&limit[]=2"), 400).param).toBe("limit");
});
