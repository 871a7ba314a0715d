import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  BASE_PATH,
  OPERATION_NAMES,
  OPERATIONS,
  type Operation,
  pathParameters,
} from "../../src/contract/operations.ts";
import { FAULTS } from "../../src/core/faults.ts";
import { StoreUnavailable } from "../../src/storage/store.ts";
import { intercepting } from "../support/intercepting.ts";
import { head, rawCall } from "../support/raw-http.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, ok, refused } from "./support/api.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

type Json = Record<string, unknown>;
const get = <T = Json>(path: string, token?: string) =>
  server.fetch<T>("GET", path, token === undefined ? {} : { token });

test("healthz says that the process is up, to everybody", async () => {
  expect(ok(await get("/healthz"))).toEqual({ status: "ok", version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
});

test("readyz says that the store can be used, and which it is", async () => {
  expect(ok(await get("/readyz"))).toEqual({
    status: "ready",
    version: expect.any(String),
    store: expect.stringMatching(/^(sqlite|postgres)$/),
    schema: expect.any(Number),
  });
});

test.each(["/healthz", "/readyz", "/openapi.json"])("%s can be asked for its status alone", async (path) => {
  const answer = await fetch(new URL(path, server.urls[0]), { method: "HEAD" });
  expect(answer.status).toBe(200);
  expect(Number(answer.headers.get("content-length"))).toBeGreaterThan(0);
  expect(await answer.text()).toBe("");
});

test("readyz is 503 while the store is away, and healthz is not", async () => {
  let away = false;
  const wrapStore = intercepting(
    "ready",
    (ready) => () => (away ? Promise.reject(new Error("secret detail")) : ready()),
  );
  const other = await startTestServer({ wrapStore });
  try {
    away = true;
    const answer = await other.fetch<Json>("GET", "/readyz");
    expect(answer).toMatchObject({ status: 503, body: { status: "store_unavailable" } });
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(JSON.stringify(answer.body)).not.toContain("secret detail");
    expect((await other.fetch("GET", "/healthz")).status).toBe(200);
    away = false;
    expect((await other.fetch("GET", "/readyz")).status).toBe(200);
  } finally {
    await other.stop();
  }
});

test("while a server drains, what still reaches it is told to come back", async () => {
  const other = await startTestServer();
  const headers = { authorization: `Bearer ${other.adminToken}`, connection: "keep-alive" };
  const call = head("GET", `${BASE_PATH}/environments`, headers);
  const { socket, received } = await rawCall(other.urls[0] ?? "", call);
  await once(socket, "data");
  // Begun before the end, so that the connection is not idle then; finished after it.
  socket.write(call.slice(0, 30));
  await (await fetch(`${other.urls[0]}/healthz`)).text();
  const stopped = other.stop();
  socket.write(call.slice(30));
  const [first, second = ""] = (await received).split(/(?=HTTP\/1\.1 )/);
  await stopped;
  expect(first).toMatch(/^HTTP\/1\.1 200/);
  expect(second).toMatch(/^HTTP\/1\.1 503/);
  expect(second.toLowerCase()).toMatch(/retry-after: \d+/);
});

test("metrics show counts, and nobody's ids", async () => {
  const environment = (await new Api(server).environment()).id;
  const item = await new Api(server).queued(environment);
  // On every server, so that each has something to show.
  for (const replica of server.urls.keys()) await server.call("GET", `/sessions/${item.data.id}`, { replica });
  const answer = await get<string>("/metrics");
  expect(answer.headers.get("content-type")).toMatch(/^text\/plain/);
  for (const name of [
    "http_request_duration_seconds",
    "leases_lapsed_total",
    "polls_parked",
    "poll_wakes_total",
    "store_calls_total",
    "store_up",
    "work_items",
  ]) {
    expect(answer.body).toMatch(new RegExp(`^# HELP capstan_${name} .+$`, "m"));
  }
  expect(answer.body).toContain('capstan_work_items{state="queued"} 1');
  expect(answer.body).toMatch(/operation="getSession",status="200"/);
  for (const id of [environment, item.id, item.data.id, server.adminToken]) expect(answer.body).not.toContain(id);
});

test("metrics go on while the store is away, say so, and leave out what only the store knows", async () => {
  let away = false;
  const gone = () => Promise.reject(new StoreUnavailable("secret detail"));
  const other = await startTestServer({
    wrapStore: (store) =>
      intercepting(
        "countWork",
        (countWork) => () => (away ? gone() : countWork()),
      )(intercepting("ready", (ready) => () => (away ? gone() : ready()))(store)),
  });
  try {
    const shown = async () => (await other.fetch<string>("GET", "/metrics", { replica: 0 })).body;
    expect(await shown()).toMatch(/^capstan_store_up 1$/m);
    away = true;
    const body = await shown();
    expect(body).toMatch(/^capstan_store_up 0$/m);
    expect(body).toMatch(/^capstan_polls_parked 0$/m);
    expect(body).not.toMatch(/^capstan_work_items\{/m);
    away = false;
    expect(await shown()).toMatch(/^capstan_work_items\{state="queued"\} 0$/m);
  } finally {
    await other.stop();
  }
});

test("metrics ask for their token when they have one; no other token opens them", async () => {
  const metricsToken = "only-for-the-monitor";
  const other = await startTestServer({ metricsToken });
  try {
    for (const token of [undefined, other.adminToken, `${metricsToken}x`]) {
      const answer = await other.fetch("GET", "/metrics", token === undefined ? {} : { token });
      refused(answer, 401, "authentication_error");
    }
    expect((await other.fetch("GET", "/metrics", { token: metricsToken })).status).toBe(200);
    refused(await other.call("GET", "/environments", { token: metricsToken }), 401);
  } finally {
    await other.stop();
  }
});

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Json>>;
}
const document = async () => ok(await get<Document>("/openapi.json"));

test("the OpenAPI document has every operation, and no other", async () => {
  const { openapi, paths } = await document();
  expect(openapi).toBe("3.1.0");
  const described = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [operation.operationId, method.toUpperCase(), path]),
  );
  const expected = OPERATION_NAMES.map((name) => [name, OPERATIONS[name].method, BASE_PATH + OPERATIONS[name].path]);
  expect(described.sort()).toEqual(expected.sort());
});

test("every reference in the OpenAPI document leads somewhere", async () => {
  const root: unknown = await document();
  const references: string[] = [];
  JSON.stringify(root, (name, value) => {
    if (name === "$ref") references.push(String(value));
    return value;
  });
  expect(references.length).toBeGreaterThan(100);
  for (const reference of new Set(references)) {
    expect(reference).toMatch(/^#\//);
    const target = reference
      .slice(2)
      .split("/")
      .reduce<unknown>((at, key) => (at as Json | undefined)?.[key], root);
    expect(target, reference).toBeTypeOf("object");
  }
});

test.each(OPERATION_NAMES)("the OpenAPI document tells all about %s", async (name) => {
  const operation: Operation = OPERATIONS[name];
  const described = (await document()).paths[BASE_PATH + operation.path]?.[operation.method.toLowerCase()] as Json;
  const parameters = described.parameters as { name: string; in: string; required: boolean; schema: Json }[];
  const names = (place: string) => parameters.filter((parameter) => parameter.in === place).map((found) => found.name);
  expect(names("path")).toEqual(pathParameters(operation.path));
  expect(names("query")).toEqual(Object.keys(operation.query?.shape ?? {}));
  expect(names("header")).toEqual(Object.keys(operation.headers?.shape ?? {}));
  for (const parameter of parameters) expect(parameter.schema, parameter.name).toHaveProperty("type");
  expect(described.requestBody !== undefined).toBe(operation.body !== undefined);
  const responses = Object.keys(described.responses as Json);
  for (const status of ["200", "401", "403", "500", "503"]) expect(responses).toContain(status);
  for (const kind of operation.errors) expect(responses).toContain(String(FAULTS[kind].status));
});
