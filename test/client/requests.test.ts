import { expect, test } from "vitest";
import { type CallOperationName, CapstanClient } from "../../src/client/index.ts";
import {
  BASE_PATH,
  OPERATION_NAMES,
  OPERATIONS,
  type Operation,
  type OperationName,
  pathParameters,
} from "../../src/contract/operations.ts";
import { scriptedServer } from "../support/scripted-server.ts";

const TOKEN = "cpt_secret-of-the-test";

async function clientOf(answer: unknown = {}) {
  const server = await scriptedServer(() => ({ json: answer }));
  return { server, client: new CapstanClient({ baseUrl: server.url, token: TOKEN }) };
}

const isCall = (name: OperationName): name is CallOperationName => (OPERATIONS[name] as Operation).stream !== true;

test("every operation of the contract is a method that calls its path with its verb", async () => {
  const { server, client } = await clientOf();
  expect(OPERATION_NAMES.filter((name) => !isCall(name))).toEqual(["streamEvents"]);
  for (const name of OPERATION_NAMES.filter(isCall)) {
    const operation: Operation = OPERATIONS[name];
    const ids = Object.fromEntries(pathParameters(operation.path).map((key) => [key, `id/of ${key}`]));
    await (client[name] as (input: object) => Promise<unknown>).call(client, ids);
    const path = operation.path.replace(/\{(\w+)\}/g, (_, key) => encodeURIComponent(`id/of ${key}`));
    expect(server.requests.at(-1)).toMatchObject({ method: operation.method, path: `${BASE_PATH}${path}` });
  }
  await server.close();
});

test("no operation uses one name for two of its parameters, so that a flat input is unambiguous", () => {
  for (const name of OPERATION_NAMES) {
    const operation: Operation = OPERATIONS[name];
    const names = [
      ...pathParameters(operation.path),
      ...Object.keys(operation.query?.shape ?? {}),
      ...Object.keys(operation.headers?.shape ?? {}).map((key) => key.replaceAll("-", "_")),
      ...Object.keys(operation.body?.shape ?? {}),
    ];
    expect([name, new Set(names).size]).toEqual([name, names.length]);
  }
});

test("a flat input is spread over path, query, headers and body", async () => {
  const { server, client } = await clientOf();
  await client.heartbeatWork(
    {
      environment_id: "env_1",
      work_id: "work_1",
      worker_id: "w1",
      idempotency_key: "beat-1",
      expected_last_heartbeat: "2026-07-01T08:16:06.120394+02:00",
      desired_ttl_seconds: 10,
    },
    { requestId: "mine" },
  );
  await client.releaseWork({ environment_id: "env_1", work_id: "work_1", worker_id: "w1", reason: "x", delay_ms: 5 });
  await client.listEvents({ session_id: "sess_1", types: ["agent.message", "session.error"], limit: 5 });
  await client.listEnvironments();
  const [beat, release, events, environments] = server.requests;

  expect(beat?.query.get("expected_last_heartbeat")).toBe("2026-07-01T08:16:06.120394+02:00");
  expect(beat?.query.get("desired_ttl_seconds")).toBe("10");
  expect(beat?.headers).toMatchObject({
    authorization: `Bearer ${TOKEN}`,
    "worker-id": "w1",
    "idempotency-key": "beat-1",
    "x-request-id": "mine",
    "user-agent": "capstan-client",
  });
  expect(beat?.headers["x-stainless-retry-count"]).toBeUndefined();
  expect(beat?.body).toBe("");
  expect(JSON.parse(release?.body ?? "")).toEqual({ reason: "x", delay_ms: 5 });
  expect(release?.headers["worker-id"]).toBe("w1");
  expect(events?.query.get("types")).toBe("agent.message,session.error");
  expect(environments?.query.size).toBe(0);
  await server.close();
});

test("a value that is undefined counts as left out, null is sent", async () => {
  const { server, client } = await clientOf();
  await client.updateSession({ session_id: "sess_1", title: undefined, metadata: { gone: null } });
  expect(server.requests[0]?.body).toBe('{"metadata":{"gone":null}}');
  await server.close();
});

test("a base URL may have a path in front of the API and a slash at its end", async () => {
  const { server } = await clientOf();
  await new CapstanClient({ baseUrl: `${server.url}/capstan/`, token: TOKEN }).listTokens();
  expect(server.requests[0]?.path).toBe(`/capstan${BASE_PATH}/tokens`);
  await server.close();
});

test("a missing or empty path parameter and an unknown parameter are refused before anything is sent", async () => {
  const { server, client } = await clientOf();
  await expect(client.getSession({ session_id: "" })).rejects.toThrow("getSession needs session_id");
  // @ts-expect-error the parameter is required
  await expect(client.getSession({})).rejects.toThrow("getSession needs session_id");
  // @ts-expect-error the operation has no such parameter
  await expect(client.getSession({ session_id: "s", limit: 3 })).rejects.toThrow("getSession has no parameter limit");
  expect(server.requests).toHaveLength(0);
  await server.close();
});

test("the types of inputs follow the contract", () => {
  const typesOnly = (client: CapstanClient) => [
    client.pollWork({ environment_id: "e", block_ms: 3, prefer: "wait=3" }).then((work) => work?.data.id),
    // @ts-expect-error an integer is written as a number
    client.pollWork({ environment_id: "e", block_ms: "3" }),
    // @ts-expect-error a state has to be one of the machine's
    client.listWork({ environment_id: "e", state: "sleeping" }),
    // @ts-expect-error another operation's parameter
    client.listWork({ environment_id: "e", expected_last_heartbeat: "NO_HEARTBEAT" }),
    // @ts-expect-error required input cannot be left out
    client.getWork(),
    // @ts-expect-error what the answer is made of is the client's to say
    client.listEvents({ session_id: "s", accept: "text/event-stream" }),
    // @ts-expect-error a stream has no one answer
    client.call("streamEvents", { session_id: "s" }),
    // @ts-expect-error only lists can be paged
    client.paginate("getWork", { environment_id: "e", work_id: "w" }),
  ];
  expect(typesOnly).toBeTypeOf("function");
});

test("a list is walked page after page, lazily", async () => {
  const pages: Record<string, object> = {
    "": { data: [{ id: "a" }, { id: "b" }], next_page: "b" },
    b: { data: [{ id: "c" }], next_page: "c" },
    c: { data: [], next_page: "d" },
    d: { data: [{ id: "d" }], next_page: null },
  };
  const server = await scriptedServer((request) => ({ json: pages[request.query.get("page") ?? ""] }));
  const client = new CapstanClient({ baseUrl: server.url, token: TOKEN });
  const seen: string[] = [];
  for await (const work of client.paginate("listWork", { environment_id: "env_1", state: "queued", limit: 2 })) {
    if (seen.length === 0) expect(server.requests).toHaveLength(1);
    seen.push(work.id);
  }
  expect(seen).toEqual(["a", "b", "c", "d"]);
  expect(new Set(server.requests.map((request) => request.query.get("state")))).toEqual(new Set(["queued"]));
  await server.close();
});

test("a list that is walked from a record on names its next pages as any other", async () => {
  const pages: Record<string, object> = {
    a: { data: [{ id: "b" }], next_page: "b" },
    b: { data: [{ id: "c" }], next_page: null },
  };
  const server = await scriptedServer(({ query }) => ({ json: pages[query.get("page") ?? ""] }));
  const client = new CapstanClient({ baseUrl: server.url, token: TOKEN });
  const seen: string[] = [];
  for await (const work of client.paginate("listWork", { environment_id: "env_1", after_id: "a" })) seen.push(work.id);
  expect(seen).toEqual(["b", "c"]);
  expect(server.requests.map(({ query }) => [...query.keys()])).toEqual([["page"], ["page"]]);
  expect(() => client.paginate("listWork", { environment_id: "env_1", before_id: "a" })).toThrow("before_id");
  await server.close();
});

test("a server that names a page as its own successor ends the walk with an error", async () => {
  const server = await scriptedServer(() => ({ json: { data: [], next_page: "again" } }));
  const client = new CapstanClient({ baseUrl: server.url, token: TOKEN });
  await expect(drain(client)).rejects.toThrow("as the one after itself");
  expect(server.requests).toHaveLength(2);
  await server.close();
});

async function drain(client: CapstanClient): Promise<void> {
  for await (const _ of client.paginate("listTokens"));
}
