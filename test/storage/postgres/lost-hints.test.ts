import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import type { Environment, Session, Work } from "../../../src/contract/shapes.ts";
import { startServer } from "../../../src/server/start.ts";
import type { PostgresStoreOptions } from "../../../src/storage/postgres/options.ts";
import { openPostgresStore } from "../../../src/storage/postgres/store.ts";
import { call } from "../../crash/calls.ts";
import { ADMIN_TOKEN } from "../../crash/server-process.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestSchema } from "../../support/postgres.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";

/** So long that nothing in a test comes of it. */
const NEVER_MS = 3_600_000;
const SILENT = { safetyPollMs: NEVER_MS, safetyPollDeafMs: NEVER_MS, listenerCheckMs: NEVER_MS } as const;
/** Whatever is called later is done later. */
const IN_ORDER = { maxBatches: 1 } as const;
const MESSAGE = { type: "user.message", content: [{ type: "text", text: "Do it." }] };

let place: Awaited<ReturnType<typeof createTestSchema>>;
beforeAll(async () => {
  place = await createTestSchema();
});
afterAll(() => place.drop());

async function start(limits: Partial<PostgresStoreOptions>): Promise<string> {
  const { url, schema } = place;
  const server = await startServer(
    { dataDir: "unused", port: 0, adminToken: ADMIN_TOKEN, logLevel: "silent", drainMs: 100 },
    () => openPostgresStore({ url, schema, ...SILENT, ...limits }),
  );
  onTestFinished(() => server.stop());
  return server.url;
}

/** A poll that waits on a server whose line for hints has gone dead, while work comes in at another one. */
async function pickUp(limits: Partial<PostgresStoreOptions>): Promise<{ waited: string; made: string }> {
  const { hostname, port } = new URL(place.url);
  const proxy = await TcpProxy.start(hostname, Number(port));
  onTestFinished(() => proxy.close());
  const listenUrl = new URL(place.url);
  listenUrl.host = `127.0.0.1:${proxy.port}`;
  const deaf = await start({ listenUrl: listenUrl.href, ...IN_ORDER, ...limits });
  const other = await start({});
  const body = { name: "q", config: { type: "self_hosted" } };
  const environment = (await call<Environment>(other, "POST", "/environments", { body })).body.id;
  const path = `/environments/${environment}/work/poll`;
  const headers = { prefer: "wait=60", "worker-id": "w1" };
  const waiting = call<Work | null>(deaf, "GET", path, { headers });
  await eventually(async () =>
    expect(await (await fetch(`${deaf}/metrics`)).text()).toContain("\ncapstan_polls_parked 1\n"),
  );
  // A poll counts from its beginning on. This write comes behind its first look, which must not find the item.
  await call(deaf, "POST", "/environments", { body });
  proxy.goDead();
  const session = { environment_id: environment, initial_events: [MESSAGE] };
  const made = (await call<Session>(other, "POST", "/sessions", { body: session })).body.id;
  return { waited: (await waiting).body?.data.id ?? "nothing", made };
}

test("a waiting poll whose hint was lost with its line gets the item when the server listens again", async () => {
  const { waited, made } = await pickUp({
    listenerCheckMs: 100,
    answerTimeoutMs: 500,
    connectTimeoutMs: 500,
    statementTimeoutMs: 300,
  });
  expect(waited).toBe(made);
});

test("a waiting poll whose hint was lost gets the item at the server's routine look, line or no line", async () => {
  const { waited, made } = await pickUp({ safetyPollMs: 200 });
  expect(waited).toBe(made);
});
