/** What arrives is not always a well-made request. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { LIMITS } from "../../src/contract/limits.ts";
import { BASE_PATH } from "../../src/contract/operations.ts";
import type { Environment, ErrorBody } from "../../src/contract/shapes.ts";
import { head, parseAnswer, rawCall } from "../support/raw-http.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, ok, refused } from "./support/api.ts";

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
});
afterAll(() => server.stop());

const create = (body: unknown, headers: Record<string, string> = {}) =>
  server.call<Environment>("POST", "/environments", { body, headers });

/** Sends bytes over a connection of their own. */
async function raw(bytes: string | Buffer) {
  const { received } = await rawCall(server.urls[0] ?? "", bytes);
  return parseAnswer(await received);
}
const authorization = () => ({ authorization: `Bearer ${server.adminToken}` });

function expectFault(answer: ReturnType<typeof parseAnswer>, status: number, type: string): void {
  expect(answer.status).toBe(status);
  const body = JSON.parse(answer.body) as ErrorBody;
  expect(body).toMatchObject({ type: "error", error: { type } });
  expect(body.request_id).toBe(answer.headers["x-request-id"]);
}

/** A good body of exactly this size. */
const sized = (bytes: number): string => {
  const frame = '{"name":"n","padding":""}';
  return frame.replace('""', `"${"x".repeat(bytes - frame.length)}"`);
};

test("a body of 32 MB is read, one byte more is a 400", async () => {
  ok(await create(sized(LIMITS.bodyBytes)));
  const fault = refused(await create(sized(LIMITS.bodyBytes + 1)), 400, "invalid_request_error");
  expect(fault.message).toContain(String(LIMITS.bodyBytes));
  let sent = 0;
  const chunks = new ReadableStream({
    pull(controller) {
      controller.enqueue(Buffer.alloc(1_048_576, "x"));
      if (++sent === 40) controller.close();
    },
  });
  const response = await fetch(`${server.urls[0]}${BASE_PATH}/environments`, {
    method: "POST",
    headers: authorization(),
    body: chunks,
    duplex: "half",
  } as RequestInit);
  expect(response.status).toBe(400);
});

test("a body nested deeper than the limit is a 400, brackets in texts are not counted", async () => {
  const nested = (levels: number) => `{"name":"n","x":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
  ok(await create(nested(128)));
  const fault = refused(await create(nested(129)), 400, "invalid_request_error");
  expect(fault.message).toContain("128");
  refused(await create("[".repeat(1_000_000)), 400, "invalid_request_error");
  ok(await create(JSON.stringify({ name: "n", x: '[{"'.repeat(1_000) })));
});

test("a body holds a bounded number of values, however few bytes they are; those inside of texts are not counted", async () => {
  const body = (values: number) => `{"name":"n","x":[${"0,".repeat(values - 4)}0]}`;
  ok(await create(body(LIMITS.bodyValues)));
  const fault = refused(await create(body(LIMITS.bodyValues + 1)), 400, "invalid_request_error");
  expect(fault.message).toContain(String(LIMITS.bodyValues));
  refused(await create(`{"name":"n","x":[${"{},".repeat(1_000_000)}{}]}`), 400, "invalid_request_error");
  ok(await create(JSON.stringify({ name: "n", x: "{[,".repeat(1_000_000) })));
});

test("the deepest JSON that a server can be told to take is kept on every store", async () => {
  const { max } = LIMITS.jsonDepth;
  const other = await startTestServer({ maxJsonDepth: max });
  try {
    const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    const send = (path: string, body: string) => other.call<Environment>("POST", path, { body });
    ok(await send("/environments", `{"name":"n","config":{"type":"cloud","x":${nested(max - 2)}}}`));
    ok(await send("/agents", `{"name":"a","model":"m","tools":[{"x":${nested(max - 3)}}]}`));
    const environment = ok(await send("/environments", '{"name":"n","config":{"type":"self_hosted"}}'));
    const session = `{"environment_id":"${environment.id}","initial_events":[{"type":"user.message","content":[{"type":"x","x":${nested(max - 5)}}]}]}`;
    ok(await send("/sessions", session));
    refused(await send("/environments", `{"name":"n","config":{"type":"cloud","x":${nested(max - 1)}}}`), 400);
  } finally {
    await other.stop();
  }
});

test("what an agent and an environment hold is bounded, and the largest part is named", async () => {
  const large = "x".repeat(LIMITS.freeFormCharacters);
  const agent = { name: "a", model: "m", tools: [{ name: "t", description: large }] };
  const fault = refused(await server.call("POST", "/agents", { body: agent }), 400, "invalid_request_error");
  expect([fault.param, fault.message]).toEqual(["tools", expect.stringContaining(String(LIMITS.freeFormCharacters))]);
  const config = { type: "self_hosted", note: large };
  const other = refused(await create(JSON.stringify({ name: "n", config })), 400, "invalid_request_error");
  expect(other.param).toBe("config.note");
  ok(await create(JSON.stringify({ name: "n", config: { type: "self_hosted", note: large.slice(100) } })));
});

test("a body that is not UTF-8 is a 400 and says so", async () => {
  for (const bytes of [Buffer.from('{"name":"\xff"}', "latin1"), Buffer.from('{"name":"n"}', "utf16le")]) {
    const fault = refused(await create(bytes), 400, "invalid_request_error");
    expect(fault.message).toMatch(/UTF-8|JSON/);
  }
  expect(refused(await create(Buffer.from([0x7b, 0xc3, 0x28, 0x7d])), 400).message).toContain("UTF-8");
});

test.each([
  "text/plain",
  "application/x-www-form-urlencoded",
  "multipart/form-data",
  "application",
  "",
  "a/b; charset=x",
])("a body is JSON also under the content type %j", async (type) => {
  ok(await create('{"name":"n"}', { "content-type": type }));
  refused(await create("name=n", { "content-type": type }), 400, "invalid_request_error");
});

test("a body is JSON also without any content type, and an empty one is none", async () => {
  const item = await api.itemIn("active", (await api.environment()).id);
  const target = `${BASE_PATH}/environments/${item.environment_id}/work/${item.id}/stop`;
  const body = '{"force":"x"}';
  expectFault(
    await raw(head("POST", target, { ...authorization(), "content-length": String(body.length) }) + body),
    400,
    "invalid_request_error",
  );
  expect((await raw(head("POST", target, { ...authorization(), "content-length": "0" }))).status).toBe(200);
  expect(
    (await raw(`${head("POST", target, { ...authorization(), "transfer-encoding": "chunked" })}0\r\n\r\n`)).status,
  ).toBe(200);
  expect((await raw(head("POST", target, { ...authorization(), "content-type": "application/json" }))).status).toBe(
    200,
  );
});

test("keys with a meaning in JavaScript are keys like any other", async () => {
  refused(await create('{"__proto__":{"name":"n"}}'), 400, "invalid_request_error");
  const metadata = '{"__proto__":"a","constructor":"b","toString":"c"}';
  const made = ok(await create(`{"name":"n","metadata":${metadata}}`));
  expect(JSON.stringify(made.metadata)).toBe(metadata);
  const read = ok(await server.call<Environment>("GET", `/environments/${made.id}`));
  expect(JSON.stringify(read.metadata)).toBe(metadata);
  const patched = await server.call<Environment>("POST", `/environments/${made.id}`, {
    body: '{"metadata":{"__proto__":null}}',
  });
  expect(JSON.stringify(ok(patched).metadata)).toBe('{"constructor":"b","toString":"c"}');
});

test("headers that are too large are a 400 with the shape of every error", async () => {
  const large = head("GET", `${BASE_PATH}/environments`, { ...authorization(), "x-large": "x".repeat(20_000) });
  expectFault(await raw(large), 400, "invalid_request_error");
  const longTarget = head("GET", `${BASE_PATH}/environments?x=${"x".repeat(20_000)}`, authorization());
  expectFault(await raw(longTarget), 400, "invalid_request_error");
});

test("what is not HTTP is a 400 with the shape of every error", async () => {
  for (const bytes of [
    "nonsense\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    head("GET", "/healthz", { "content-length": "x" }),
  ]) {
    expectFault(await raw(bytes), 400, "invalid_request_error");
  }
});

test.each([
  "/sessions/%zz",
  "/sessions/%",
  "/sessions/%c3%28",
  "/sessions//events",
  "/sessions/%00",
  "/%2e%2e/%2e%2e/etc",
])("the malformed path %s is a 404 with the shape of every error", async (path) => {
  expectFault(await raw(head("GET", BASE_PATH + path, authorization())), 404, "not_found_error");
});

const NOWHERE = [
  ["GET", ""],
  ["GET", "/"],
  ["GET", "/unheard_of"],
  ["PUT", "/environments"],
  ["PATCH", "/sessions"],
  ["OPTIONS", "/environments"],
  ["GET", "//environments"],
] as const;

test.each(NOWHERE)(
  "%s %s does not exist: a 404 that names it, and a 401 for who has no token",
  async (method, path) => {
    const valid = (await api.token("client")).token;
    const fault = refused(await server.call(method, path, { token: valid }), 404, "not_found_error");
    expect(fault.message).toContain(`${method} ${BASE_PATH}${path}`);
    for (const token of [null, "cpt_unknown"]) {
      refused(await server.call(method, path, { token }), 401, "authentication_error");
    }
  },
);

test("outside of the base path a 404 needs no token", async () => {
  for (const path of ["/", "/v1/environments", "/api/v1", "/api/v1/clouds", "/api/v1/clouds/x"]) {
    refused(await server.fetch("GET", path), 404, "not_found_error");
  }
});

test("a malformed path is a 401 for who has no token", async () => {
  expectFault(await raw(head("GET", `${BASE_PATH}/sessions/%zz`)), 401, "authentication_error");
  const unknown = { authorization: "Bearer cpt_unknown" };
  expectFault(await raw(head("GET", `${BASE_PATH}/sessions/%zz`, unknown)), 401, "authentication_error");
});

test("HTTP/1.1 without a Host is a 400 with the shape of every error, HTTP/1.0 needs none", async () => {
  const lines = `authorization: Bearer ${server.adminToken}\r\nconnection: close\r\n\r\n`;
  expectFault(await raw(`GET ${BASE_PATH}/environments HTTP/1.1\r\n${lines}`), 400, "invalid_request_error");
  expect((await raw(`GET ${BASE_PATH}/environments HTTP/1.0\r\n${lines}`)).status).toBe(200);
});

test("an expectation that nobody knows is ignored", async () => {
  const target = `${BASE_PATH}/environments?limit=0`;
  expectFault(await raw(head("GET", target, { ...authorization(), expect: "wonders" })), 400, "invalid_request_error");
});

test("HEAD on a poll hands nothing out", async () => {
  const environment = (await api.environment()).id;
  const item = await api.queued(environment);
  const answer = await server.call("HEAD", `/environments/${environment}/work/poll`);
  expect(answer.status).toBe(404);
  expect(ok(await api.poll(environment, { query: { reclaim_older_than_ms: 3_600_000 } }))?.id).toBe(item.id);
});

test.each(["a", "req_01-x.y:z/=", "~".repeat(128)])("the caller's request id %s comes back", async (id) => {
  for (const path of ["/environments", "/unheard_of", "/sessions/%zz"]) {
    const answer = await server.call("GET", path, { token: null, headers: { "x-request-id": id } });
    expect(answer.headers.get("x-request-id")).toBe(id);
    expect(answer.body.request_id).toBe(id);
  }
});

test.each(["", "a b", "x".repeat(129), "é", "a\tb"])("instead of the request id %j comes a new one", async (id) => {
  const seen = new Set<string>();
  for (let index = 0; index < 2; index++) {
    const answer = await server.call("GET", "/environments", { headers: { "x-request-id": id } });
    const own = answer.headers.get("x-request-id") ?? "";
    expect(own).toMatch(/^[0-9a-f-]{36}$/);
    seen.add(own);
  }
  expect(seen.size).toBe(2);
});

test("more connections than allowed are closed at once, and the others are served", async () => {
  const small = await startTestServer({ maxConnections: 3 });
  try {
    const url = small.urls[0] ?? "";
    const open = await Promise.all([1, 2, 3].map(() => rawCall(url, "")));
    const refusedCall = await rawCall(url, head("GET", "/healthz"));
    expect(await refusedCall.received).toBe("");
    open[0]?.socket.write(head("GET", "/healthz"));
    expect(await open[0]?.received).toContain("200 OK");
    for (const { socket } of open) socket.destroy();
  } finally {
    await small.stop();
  }
});
