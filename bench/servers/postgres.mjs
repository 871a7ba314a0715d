/** A PostgreSQL of the benchmark's own, from npm, with its commits as durable as in production. */
import pg from "pg";
import "../../test/support/typescript.mjs";

const { PostgresServer } = await import("../../test/support/postgres-server.ts");

/** What the tests' server has switched off, and room for what a small production server would have. */
const SETTINGS = {
  fsync: "on",
  full_page_writes: "on",
  synchronous_commit: "on",
  shared_buffers: "256MB",
  max_wal_size: "4GB",
  checkpoint_timeout: "15min",
};
export const DURABILITY =
  "PostgreSQL fsync, full_page_writes and synchronous_commit on; nothing is answered before its commit is on disk";

/**
 * @param counting statements are counted, which costs something
 * @param settings more settings of the server
 */
export async function startPostgres({ counting = false, settings: more = {} } = {}) {
  const preload = counting ? { shared_preload_libraries: "pg_stat_statements" } : {};
  const settings = { ...SETTINGS, ...preload, ...more };
  const server = await PostgresServer.start({ settings });
  // A run that fails or is interrupted leaves nothing behind.
  const abandon = () => server.abandon();
  process.once("exit", abandon);
  const client = new pg.Client({ connectionString: server.url() });
  client.on("error", () => undefined);
  await client.connect();
  const { rows } = await client.query("SHOW server_version");
  if (counting) await client.query("CREATE EXTENSION pg_stat_statements");
  return {
    pid: server.pid,
    version: rows[0].server_version,
    url: (database) => server.url(database),
    /** As an operator, in the first database. */
    sql: async (text, values) => (await client.query(text, values)).rows,
    async createDatabase(name) {
      await client.query(`CREATE DATABASE ${name}`);
      return server.url(name);
    },
    async sqlIn(name, text, values) {
      const own = new pg.Client({ connectionString: server.url(name) });
      await own.connect();
      try {
        return (await own.query(text, values)).rows;
      } finally {
        await own.end();
      }
    },
    async stop() {
      await client.end();
      await server.stop();
      process.off("exit", abandon);
    },
  };
}

/** Bytes of write-ahead log so far. */
export async function walBytes({ sql }) {
  const [row] = await sql("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes");
  return Number(row.bytes);
}

/** Calls of statements in a database so far, with the transaction's own. */
export async function statementCalls({ sql }, database) {
  const [row] = await sql(
    `SELECT coalesce(sum(calls), 0) AS calls FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
     WHERE datname = $1`,
    [database],
  );
  return Number(row.calls);
}
