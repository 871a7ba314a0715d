import { createServer, type Server } from "node:net";
import { inspect } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { ApiError, CapstanClient, type ClientOptions, ConnectionError } from "../../src/client/index.ts";
import { retryAfterSeconds } from "../../src/client/response.ts";
import { retryDelayMs } from "../../src/client/retry.ts";
import { refusal, type Scripted, type ScriptedServer, scriptedServer } from "../support/scripted-server.ts";

const TOKEN = "cpt_secret-of-the-test";
const servers: ScriptedServer[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const server of servers.splice(0)) await server.close();
});

async function scripted(script: (index: number) => Scripted, options: Partial<ClientOptions> = {}) {
  const server = await scriptedServer((_, index) => script(index));
  servers.push(server);
  return { server, client: new CapstanClient({ baseUrl: server.url, token: TOKEN, ...options }) };
}

/** A port on which nothing listens. */
async function closedPort(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.fail("the call succeeded"),
    (failure) => failure,
  );

const noWaits = () => vi.spyOn(Math, "random").mockReturnValue(0);

test("a refusal carries the status, type, parameter and request id of the answer", async () => {
  const { server, client } = await scripted(() => ({
    status: 400,
    json: {
      type: "error",
      request_id: "req-7",
      error: { type: "invalid_request_error", message: "limit must be smaller", param: "limit" },
    },
  }));
  const failure = await failureOf(client.listTokens({ limit: 500 }));
  expect(failure).toBeInstanceOf(ApiError);
  expect(failure).toMatchObject({
    status: 400,
    type: "invalid_request_error",
    param: "limit",
    requestId: "req-7",
    message: "limit must be smaller",
  });
  expect(server.requests).toHaveLength(1);
});

test.each([401, 403, 404, 409, 412])("a %i is not repeated", async (status) => {
  const { server, client } = await scripted(() => refusal(status, "x", "no"));
  expect(await failureOf(client.listTokens())).toMatchObject({ status });
  expect(server.requests).toHaveLength(1);
});

test("a 429 and a 503 are repeated for every call, declared as repeats", async () => {
  noWaits();
  const { server, client } = await scripted((index) =>
    index === 0
      ? refusal(429, "rate_limit_error", "slow")
      : index === 1
        ? refusal(503, "api_error", "away")
        : { json: {} },
  );
  await client.createSession({ environment_id: "env_1" });
  expect(server.requests.map((request) => request.headers["x-stainless-retry-count"])).toEqual([undefined, "1", "2"]);
});

test("a 500 is repeated for calls that may arrive twice, and for no others", async () => {
  noWaits();
  const { server, client } = await scripted(() => refusal(500, "api_error", "oops"));
  await failureOf(client.listTokens());
  expect(server.requests).toHaveLength(3);
  await failureOf(client.createEnvironment({ name: "x" }));
  expect(server.requests).toHaveLength(4);
  await failureOf(client.stopWork({ environment_id: "e", work_id: "w", force: true }));
  expect(server.requests).toHaveLength(7);
  await failureOf(client.stopWork({ environment_id: "e", work_id: "w" }));
  expect(server.requests).toHaveLength(8);
});

test("x-should-retry: false stops repeats that the status would allow", async () => {
  const { server, client } = await scripted(() => refusal(503, "api_error", "no", { "x-should-retry": "false" }));
  await failureOf(client.listTokens());
  expect(server.requests).toHaveLength(1);
});

test("a connection that breaks in the middle is repeated only where that cannot do a thing twice", async () => {
  noWaits();
  const { server, client } = await scripted((index) => (index === 1 ? { json: {} } : (response) => response.destroy()));
  await client.getWork({ environment_id: "e", work_id: "w" });
  expect(server.requests).toHaveLength(2);
  const failure = await failureOf(client.sendEvents({ session_id: "s", events: [] }));
  expect(failure).toMatchObject({ name: "ConnectionError", maybeDelivered: true });
  expect(server.requests).toHaveLength(3);
});

test("retry-after is waited for, and one beyond reason is handed to the caller instead", () => {
  const refused = (status: number, seconds?: number) =>
    new ApiError("no", { status, type: "x", retryAfterSeconds: seconds });
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  expect(retryDelayMs("listTokens", {}, refused(429, 3), 0)).toBe(3_250);
  expect(retryDelayMs("listTokens", {}, refused(429), 0)).toBe(250);
  expect(retryDelayMs("listTokens", {}, refused(503), 40)).toBe(4_000);
  expect(retryDelayMs("listTokens", {}, refused(503, 61), 0)).toBeUndefined();
});

test("retry-after is read as seconds and as a date", () => {
  const now = Date.parse("2026-07-01T08:00:00Z");
  expect(retryAfterSeconds("7")).toBe(7);
  expect(retryAfterSeconds("Wed, 01 Jul 2026 08:00:09 GMT", now)).toBe(9);
  expect(retryAfterSeconds("Wed, 01 Jul 2026 07:00:00 GMT", now)).toBe(0);
  expect(retryAfterSeconds("soon")).toBeUndefined();
  expect(retryAfterSeconds(null)).toBeUndefined();
});

test("an unreachable server is named, with what to check", async () => {
  const port = await closedPort();
  const client = new CapstanClient({ baseUrl: `http://127.0.0.1:${port}`, token: TOKEN, maxRetries: 0 });
  const failure = (await failureOf(client.createEnvironment({ name: "x" }))) as ConnectionError;
  expect(failure).toBeInstanceOf(ConnectionError);
  expect(failure).toMatchObject({ code: "ECONNREFUSED", maybeDelivered: false });
  expect(failure.message).toContain(`127.0.0.1:${port}`);
  expect(failure.message).toContain("check that it runs");
});

test("a connection that was never opened is tried again for every call", async () => {
  noWaits();
  const client = new CapstanClient({ baseUrl: "http://127.0.0.1:1", token: TOKEN, fetch: refusedOnce() });
  expect(await client.createEnvironment({ name: "x" })).toEqual({ fine: true });
});

function refusedOnce(): typeof fetch {
  let calls = 0;
  return async () => {
    calls += 1;
    if (calls > 1) return Response.json({ fine: true });
    throw new TypeError("fetch failed", { cause: Object.assign(new Error("connect"), { code: "ECONNREFUSED" }) });
  };
}

test("a value that no header can carry is the caller's mistake, and is not repeated", async () => {
  const { server, client } = await scripted(() => ({ json: {} }));
  expect(await failureOf(client.listTokens({}, { requestId: "two\nlines" }))).toBeInstanceOf(TypeError);
  expect(server.requests).toHaveLength(0);
});

test("an answer that never comes ends in a timeout that says so", async () => {
  const { client } = await scripted(() => () => {}, { timeoutMs: 20, maxRetries: 0 });
  const failure = await failureOf(client.listTokens());
  expect(failure).toMatchObject({ name: "ConnectionError", code: "TIMEOUT", maybeDelivered: true });
});

test("a body that stops in the middle ends in a timeout too", async () => {
  const { client } = await scripted(() => (response) => response.write('{"data":['), { timeoutMs: 50, maxRetries: 0 });
  expect(await failureOf(client.listTokens())).toMatchObject({ code: "TIMEOUT" });
});

test("a wait that the call asks for is added to its timeout", async () => {
  const { client } = await scripted(() => (response) => setTimeout(() => response.end("null"), 100), {
    timeoutMs: 20,
    maxRetries: 0,
  });
  expect(await client.pollWork({ environment_id: "e", prefer: "wait=30" })).toBeNull();
  expect(await client.pollWork({ environment_id: "e", block_ms: 900 })).toBeNull();
  expect(await failureOf(client.pollWork({ environment_id: "e" }))).toMatchObject({ code: "TIMEOUT" });
});

test("aborting ends a call that waits for its answer, with the caller's reason", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const { client } = await scripted(() => () => controller.abort(reason));
  expect(await failureOf(client.listTokens({}, { signal: controller.signal }))).toBe(reason);
});

test("aborting ends the wait between two tries", async () => {
  const controller = new AbortController();
  const { server, client } = await scripted(() => (response) => {
    response.writeHead(503, { "retry-after": "50" });
    response.end("{}", () => setTimeout(() => controller.abort(), 20));
  });
  expect(await failureOf(client.listTokens({}, { signal: controller.signal }))).toMatchObject({ name: "AbortError" });
  expect(server.requests).toHaveLength(1);
});

test("a signal that is aborted already lets nothing out", async () => {
  const { server, client } = await scripted(() => ({ json: {} }));
  await failureOf(client.listTokens({}, { signal: AbortSignal.abort() }));
  expect(server.requests).toHaveLength(0);
});

test("an answer that is no JSON names the host instead of failing somewhere else", async () => {
  const html: Scripted = (response) => response.end("<h1>It works!</h1>");
  const { server, client } = await scripted(() => html, { maxRetries: 0 });
  const failure = (await failureOf(client.listTokens())) as Error;
  expect(failure).toBeInstanceOf(ConnectionError);
  expect(failure.message).toContain(new URL(server.url).host);
});

test("an error page of a proxy is an ApiError with its status", async () => {
  const { client } = await scripted(
    () => (response) => {
      response.writeHead(502);
      response.end("<h1>Bad gateway</h1>");
    },
    { maxRetries: 0 },
  );
  expect(await failureOf(client.listTokens())).toMatchObject({ name: "ApiError", status: 502, type: "http_error" });
});

test("a redirect is not followed, so that the token stays with the server that it was given for", async () => {
  const { server: elsewhere } = await scripted(() => ({ json: {} }));
  const { client } = await scripted(() => (response) => {
    response.writeHead(307, { location: elsewhere.url });
    response.end();
  });
  expect(await failureOf(client.listTokens())).toMatchObject({ status: 307 });
  expect(elsewhere.requests).toHaveLength(0);
});

test("an endless answer is cut off instead of filling the memory", async () => {
  const { client } = await scripted(
    () => (response) => {
      const megabyte = Buffer.alloc(1024 * 1024, "x");
      const pump = () => {
        while (!response.destroyed && response.write(megabyte));
      };
      response.on("drain", pump);
      pump();
    },
    { maxRetries: 0 },
  );
  expect(((await failureOf(client.listTokens())) as Error).message).toContain("longer than 64 MB");
});

test("the token appears in no error and in no inspection of client or error", async () => {
  const broken = `${TOKEN}\nwith-a-line-break`;
  const refused = (() => {
    try {
      new CapstanClient({ baseUrl: "http://127.0.0.1:1", token: broken });
    } catch (failure) {
      return failure;
    }
    return undefined;
  })();
  expect(refused).toBeInstanceOf(TypeError);
  const { client } = await scripted(() => refusal(401, "authentication_error", "no"));
  const unreachable = new CapstanClient({ baseUrl: `http://127.0.0.1:${await closedPort()}`, token: TOKEN });
  const failures = [
    refused,
    await failureOf(client.listTokens()),
    await failureOf(unreachable.listTokens({}, { maxRetries: 0 })),
    await failureOf(client.getWork({ environment_id: "e", work_id: "w" }, { requestId: "bad\nheader", maxRetries: 0 })),
    client,
  ];
  for (const failure of failures) expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain(TOKEN);
});

test.each(["", "localhost:8787", "ftp://host", "http://user:password@host", "http://host?token=x"])(
  "the base URL %j is refused",
  (baseUrl) => {
    expect(() => new CapstanClient({ baseUrl, token: TOKEN })).toThrow("baseUrl must be");
  },
);
