import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { BASE_PATH } from "../../src/contract/operations.ts";
import type { ErrorBody } from "../../src/contract/shapes.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { ServerOptions } from "../../src/server/options.ts";
import { type RunningServer, startServer } from "../../src/server/start.ts";
import { openPostgresStore } from "../../src/storage/postgres/store.ts";
import { openSqliteStore } from "../../src/storage/sqlite/store.ts";
import type { Store } from "../../src/storage/store.ts";
import { FakeClock } from "./fake-clock.ts";
import { createTestSchema } from "./postgres.ts";

/** On what the tests of the HTTP surface run. A Vitest project provides it; left out, it is SQLite. */
export interface TestTopology {
  readonly store: keyof typeof BACKENDS;
  /** Servers over the one store; calls go round them. */
  readonly replicas: number;
}

declare module "vitest" {
  interface ProvidedContext {
    topology?: TestTopology;
  }
}

/** An empty database of its own, as often opened as there are replicas. */
interface Backend {
  open(clock: Clock | undefined): Promise<Store>;
  dispose(): Promise<void>;
}

const BACKENDS = { sqlite: sqliteBackend, postgres: postgresBackend };

async function sqliteBackend(): Promise<Backend> {
  const dataDir = await mkdtemp(join(tmpdir(), "capstan-test-"));
  return {
    open: (clock) => openSqliteStore(clock === undefined ? { dataDir } : { dataDir, clock }),
    dispose: () => rm(dataDir, { recursive: true, force: true }),
  };
}

async function postgresBackend(): Promise<Backend> {
  const { url, schema, drop } = await createTestSchema();
  return { open: (clock) => openPostgresStore({ url, schema, clock }), dispose: drop };
}

export interface TestServerOptions extends Partial<Omit<ServerOptions, "dataDir" | "port" | "host">> {
  /** The store's clock; left out, the one that the store has of its own. */
  readonly clock?: Clock;
  /** Puts something between the server and its store, such as a delay. */
  readonly wrapStore?: (store: Store) => Store;
}

export interface CallOptions {
  /** Left out: the admin token. `null`: none. */
  readonly token?: string | null;
  /** Sent as JSON, unless it is text or bytes already. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text is sent as it stands, after the `?`. */
  readonly query?: string | Readonly<Record<string, string | number | boolean>>;
  /** Which replica to ask; left out, they take turns. */
  readonly replica?: number;
  readonly signal?: AbortSignal;
}

export interface Answer<T> {
  readonly status: number;
  readonly headers: Headers;
  /** The JSON of the answer; text where it is none, nothing where it is a stream. */
  readonly body: T;
}

export interface TestServer {
  /** One for each replica. */
  readonly urls: readonly string[];
  readonly adminToken: string;
  /** Calls an operation by its path below the base path. */
  call<T = ErrorBody>(method: string, path: string, options?: CallOptions): Promise<Answer<T>>;
  /** Calls any path, without a token unless one is given. */
  fetch<T = ErrorBody>(method: string, path: string, options?: CallOptions): Promise<Answer<T>>;
  /** The sum of a metric over all replicas. */
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

/** Real servers on free ports over a real, empty database. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { store = "sqlite", replicas = 1 } = inject("topology") ?? {};
  const { clock, wrapStore = (opened) => opened, ...given } = options;
  const adminToken = given.adminToken ?? `test-admin-${"0123456789abcdef".repeat(2)}`;
  const backend = await BACKENDS[store]();
  const servers: RunningServer[] = [];
  for (let index = 0; index < replicas; index++) {
    const own: ServerOptions = {
      logLevel: "silent",
      ...given,
      adminToken,
      dataDir: "unused",
      host: "127.0.0.1",
      port: 0,
    };
    servers.push(await startServer(own, async () => wrapStore(await backend.open(clock))));
  }
  return testServer(servers, adminToken, clock, async () => {
    await Promise.all(servers.map((server) => server.stop()));
    await backend.dispose();
  });
}

/** Calls that make something; ids of several servers have only their clock in common to be in order. */
const MAKES = /\/(environments|sessions|agents|tokens)$/;

function testServer(
  servers: readonly RunningServer[],
  adminToken: string,
  clock: Clock | undefined,
  stop: () => Promise<void>,
): TestServer {
  const urls = servers.map((server) => server.url);
  let turn = 0;
  const send = <T>(method: string, path: string, options: CallOptions): Promise<Answer<T>> => {
    if (urls.length > 1 && clock instanceof FakeClock && MAKES.test(path)) clock.advanceMicros(1);
    const replica = options.replica ?? turn++ % urls.length;
    return request(method, `${urls[replica]}${path}`, options);
  };
  return {
    urls,
    adminToken,
    call: (method, path, options = {}) => send(method, BASE_PATH + path, { token: adminToken, ...options }),
    fetch: (method, path, options = {}) => send(method, path, options),
    metric: async (name) => {
      const values: number[] = [];
      for (const replica of urls.keys()) values.push(...metricValues(await send("GET", "/metrics", { replica }), name));
      if (values.length === 0) throw new Error(`/metrics shows no ${name}`);
      return values.reduce((sum, value) => sum + value, 0);
    },
    stop,
  };
}

async function request<T>(method: string, url: string, options: CallOptions): Promise<Answer<T>> {
  const { token = null, body, query = "", signal } = options;
  const search = typeof query === "string" ? query : new URLSearchParams(stringValues(query)).toString();
  const response = await fetch(search === "" ? url : `${url}?${search}`, {
    method,
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...options.headers },
    ...(body === undefined ? {} : { body: encoded(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
  const contentType = response.headers.get("content-type") ?? "";
  if (contentType.startsWith("text/event-stream")) {
    // It goes on for ever; whoever wants to read it does so over a socket of its own.
    await response.body?.cancel();
    return { status: response.status, headers: response.headers, body: undefined as T };
  }
  const text = await response.text();
  const isJson = text !== "" && contentType.startsWith("application/json");
  return { status: response.status, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as T };
}

const stringValues = (query: Readonly<Record<string, string | number | boolean>>): Record<string, string> =>
  Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));

function encoded(body: unknown): string | Uint8Array<ArrayBuffer> {
  if (typeof body === "string") return body;
  return body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body);
}

/** None on a server that has had no occasion yet to count. */
function metricValues(answer: Answer<unknown>, name: string): number[] {
  const lines = String(answer.body).split("\n");
  return lines.filter((text) => text.startsWith(`${name} `)).map((line) => Number(line.slice(name.length + 1)));
}
