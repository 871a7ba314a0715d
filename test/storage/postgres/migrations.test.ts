import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Migration, readMigrations } from "../../../src/storage/migrate.ts";
import { prepareSchema } from "../../../src/storage/postgres/open.ts";
import { POSTGRES_LIMITS } from "../../../src/storage/postgres/options.ts";
import { openPostgresStore } from "../../../src/storage/postgres/store.ts";
import { StoreRefused, StoreUnavailable } from "../../../src/storage/store.ts";
import { createTestPostgres, type TestPostgres } from "../../support/postgres.ts";
import { MESSAGE, POLICY, value } from "../conformance/support.ts";

let database: TestPostgres;
let schema: string;
let schemas = 0;
beforeAll(async () => {
  database = await createTestPostgres();
});
beforeEach(() => {
  schema = `migrated_${++schemas}`;
});
afterAll(() => database.drop());

const OURS = readMigrations("postgres");
const connection = () => ({ url: database.url, prepare: true, limits: POSTGRES_LIMITS });
const open = () => openPostgresStore({ url: database.url, schema });
const next = (sql: string, breaking: boolean): Migration[] => [
  ...OURS,
  { version: OURS.length + 1, name: "next", breaking, sql },
];
const versions = () =>
  database.sql(`SELECT version::int, name, breaking FROM ${schema}.migration ORDER BY version`).then((rows) => rows);

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error) => error,
  );

test("any number of servers may start at once on an empty database", async () => {
  const stores = await Promise.all(Array.from({ length: 6 }, open));
  expect(await versions()).toEqual(OURS.map(({ version, name, breaking }) => ({ version, name, breaking })));
  for (const store of stores) expect(await store.ready()).toEqual({ kind: "postgres", schema: OURS.length });
  await Promise.all(stores.map((store) => store.close()));
});

test("a migration happens as a whole or not at all", async () => {
  const broken = next("CREATE TABLE half (id text); SELECT 1 / 0", true);
  expect(await failure(prepareSchema(connection(), schema, { migrations: broken }))).toMatchObject({ code: "22012" });
  const [found] = await database.sql("SELECT to_regclass($1) AS half, to_regclass($2) AS work", [
    `${schema}.half`,
    `${schema}.work`,
  ]);
  expect(found).toEqual({ half: null, work: null });
});

test("a dry run says what is to be done, and does nothing", async () => {
  const plan = await prepareSchema(connection(), schema, { dryRun: true });
  expect(plan).toMatchObject({ current: 0, pending: OURS });
  const [found] = await database.sql("SELECT to_regnamespace($1) AS schema", [schema]);
  expect(found).toEqual({ schema: null });
  await prepareSchema(connection(), schema);
  expect(await prepareSchema(connection(), schema, { dryRun: true })).toEqual({ current: OURS.length, pending: [] });
});

test("old servers go on, and can be started, beside a newer one whose migration breaks nothing", async () => {
  const old = await open();
  await prepareSchema(connection(), schema, {
    migrations: next("ALTER TABLE session ADD COLUMN mood text NOT NULL DEFAULT 'calm'", false),
  });
  const started = await open();
  for (const store of [old, started]) {
    const input = { name: "q", description: "", config: {}, selfHosted: true, policy: POLICY, metadata: {} };
    const environmentId = value(await store.execute("createEnvironment", input)).id;
    const session = { environmentId, agent: null, title: null, metadata: {}, initialEvents: [MESSAGE] };
    const { id } = value(await store.execute("createSession", session));
    expect(await store.getSession(id)).toMatchObject({ status: "running" });
    expect(await store.ready()).toMatchObject({ schema: OURS.length + 1 });
    await store.close();
  }
});

test("an old server refuses a schema that it could misread, with one clear sentence", async () => {
  const old = await open();
  await prepareSchema(connection(), schema, {
    migrations: next("ALTER TABLE work RENAME COLUMN holder TO owner", true),
  });
  const message = `Schema ${schema} has version ${OURS.length + 1}, and this program knows versions up to ${OURS.length}. Run the newer program that migrated it.`;
  expect(await failure(open())).toEqual(new StoreRefused(message));
  expect(await failure(old.ready())).toEqual(new StoreUnavailable(message));
  const calls = [
    () => old.execute("sweep", { limit: 1 }),
    () => old.getWork("work_1"),
    () => old.listEvents("sess_1", { limit: 1, order: "ascending" }, {}),
    () => old.countPollers("env_1", 1_000),
    () => old.purge(1),
  ];
  for (const call of calls) expect(await failure(call())).toEqual(new StoreUnavailable(message));
  await old.close();
});

test("an old server serves again once the schema is one that it can read", async () => {
  const old = await open();
  await prepareSchema(connection(), schema, { migrations: next("SELECT 1", true) });
  expect(await failure(old.ready())).toBeInstanceOf(StoreUnavailable);
  await database.sql(`DELETE FROM ${schema}.migration WHERE version > ${OURS.length}`);
  expect(await old.ready()).toMatchObject({ schema: OURS.length });
  expect(await old.getWork("work_1")).toBeUndefined();
  await old.close();
});

test("whoever may not create anything can still use what is there", async () => {
  await prepareSchema(connection(), schema);
  const user = `user_of_${schema}`;
  const { password } = new URL(database.url);
  await database.sql(`CREATE ROLE ${user} LOGIN PASSWORD '${password}';
    GRANT USAGE ON SCHEMA ${schema} TO ${user}; GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO ${user}`);
  const url = new URL(database.url);
  url.username = user;
  const store = await openPostgresStore({ url: url.href, schema });
  expect(await store.ready()).toMatchObject({ kind: "postgres" });
  await store.close();
  const refused = await failure(openPostgresStore({ url: url.href, schema: `${schema}_more` }));
  expect(refused).toBeInstanceOf(StoreRefused);
  expect((refused as Error).message).toMatch(/^User user_of_migrated_\d+ may not create schema/);
  await database.sql(`DROP OWNED BY ${user}; DROP ROLE ${user}`);
});

test.each([
  ["a wrong password", { password: "wrong" }, "does not let user"],
  ["no password", { password: "" }, "and the database URL has none. Write it into the URL,"],
  ["a database that is not there", { pathname: "/nowhere" }, "has no database nowhere."],
  ["a port where nothing listens", { port: "1" }, "cannot be reached (ECONNREFUSED)."],
])("%s is told in one sentence, without the password", async (_what, spoiled, sentence) => {
  const { password } = new URL(database.url);
  const url = Object.assign(new URL(database.url), spoiled);
  const refused = await failure(openPostgresStore({ url: url.href, schema }));
  expect(refused).toBeInstanceOf(StoreRefused);
  expect((refused as Error).message).toContain(sentence);
  expect((refused as Error).message).not.toContain(password);
});

test("migrations say in their first line whether older programs can live with them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "capstan-migrations-"));
  await writeFile(join(folder, "0001_initial.sql"), "CREATE TABLE a (b text);");
  await writeFile(join(folder, "0002_more.sql"), "-- breaking: no\nCREATE TABLE c (d text);");
  const read = readMigrations("postgres", pathToFileURL(`${folder}/`));
  expect(read.map(({ version, name, breaking }) => ({ version, name, breaking }))).toEqual([
    { version: 1, name: "initial", breaking: true },
    { version: 2, name: "more", breaking: false },
  ]);
  await rm(folder, { recursive: true });
});
