import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, inject } from "vitest";

/** A database of its own on the PostgreSQL that all tests share. */
export interface TestPostgres {
  readonly url: string;
  /** Runs SQL as an operator would; several statements at once where there are no values. */
  sql<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  drop(): Promise<void>;
}

/** `CAPSTAN_TEST_DATABASE_URL` names another server, whose user may make databases. */
async function sharedServer(): Promise<string> {
  const given = process.env.CAPSTAN_TEST_DATABASE_URL;
  if (given !== undefined && given !== "") return given;
  const answer = await fetch(inject("postgresDesk"));
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text;
}

export async function createTestPostgres(): Promise<TestPostgres> {
  const server = await sharedServer();
  const name = `capstan_test_${randomBytes(8).toString("hex")}`;
  await run(server, `CREATE DATABASE ${name} TEMPLATE template0`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    sql: (text, values) => run(url.href, text, values),
    drop: async () => {
      await run(server, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

let shared: Promise<TestPostgres> | undefined;
// The file's tests share one database, because making one takes longer than most of them.
afterAll(async () => {
  await (await shared)?.drop();
  shared = undefined;
});
let schemas = 0;

/** An empty namespace in a database of this test file. */
export async function createTestSchema(): Promise<{ url: string; schema: string; drop(): Promise<void> }> {
  shared ??= createTestPostgres();
  const { url, sql } = await shared;
  const schema = `test_${++schemas}`;
  return { url, schema, drop: async () => void (await sql(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)) };
}

async function run<Row>(url: string, text: string, values?: readonly unknown[]): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return (await client.query(text, values && [...values])).rows as Row[];
  } finally {
    await client.end();
  }
}
