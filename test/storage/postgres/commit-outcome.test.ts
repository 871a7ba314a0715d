import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { openPostgresStore } from "../../../src/storage/postgres/store.ts";
import { type Store, StoreUnavailable } from "../../../src/storage/store.ts";
import { eventually } from "../../support/eventually.ts";
import { createTestSchema } from "../../support/postgres.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { POLICY, value } from "../conformance/support.ts";

let place: Awaited<ReturnType<typeof createTestSchema>>;
let line: TcpProxy;
/** Over a line that can be cut. */
let store: Store;
let direct: Store;
beforeAll(async () => {
  place = await createTestSchema();
  const { url, schema } = place;
  direct = await openPostgresStore({ url, schema });
});
beforeEach(async () => {
  const url = new URL(place.url);
  line = await TcpProxy.start(url.hostname, Number(url.port));
  url.host = `127.0.0.1:${line.port}`;
  store = await openPostgresStore({ url: url.href, schema: place.schema });
});
afterEach(async () => {
  await store.close();
  await line.close();
});
afterAll(async () => {
  await direct.close();
  await place.drop();
});

/** As it stands on the wire; `BEGIN … READ COMMITTED` is something else. */
const COMMIT = "COMMIT\0";

const create = (name: string) =>
  store.execute("createEnvironment", {
    name,
    description: "",
    config: {},
    selfHosted: true,
    policy: POLICY,
    metadata: {},
  });

async function exists(name: string): Promise<boolean> {
  const page = await direct.listEnvironments({ limit: 100, order: "ascending" }, { includeArchived: true });
  return page.data.some((environment) => environment.name === name);
}

const failureOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error) => error,
  );

test("a write whose COMMIT is not answered says that it may have happened: it has", async () => {
  line.cutAt(COMMIT, { passes: true });
  const failure = await failureOf(create("answer lost"));
  expect(failure).toBeInstanceOf(StoreUnavailable);
  expect(failure).toMatchObject({ mayHaveHappened: true });
  await eventually(async () => expect(await exists("answer lost")).toBe(true));
});

test("a write whose COMMIT does not arrive says that it may have happened: it has not", async () => {
  line.cutAt(COMMIT, { passes: false });
  expect(await failureOf(create("commit lost"))).toMatchObject({ mayHaveHappened: true });
  // Whoever wrote it holds the row no more: its transaction is over.
  expect(value(await create("after it")).name).toBe("after it");
  expect(await exists("commit lost")).toBe(false);
});

test("a write that fails before it is sent says that nothing happened", async () => {
  line.cutAt("BEGIN", { passes: true });
  const failure = await failureOf(create("never sent"));
  expect(failure).toBeInstanceOf(StoreUnavailable);
  expect(failure).toMatchObject({ mayHaveHappened: false });
  expect(await exists("never sent")).toBe(false);
});
