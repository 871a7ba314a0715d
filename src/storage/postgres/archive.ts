import pg from "pg";
import type { Row, Table } from "../rows/index.ts";
import { ARCHIVED, type ArchivedTable, type Counts, type StoreArchive } from "../transfer.ts";
import { columnsOf } from "./arrays.ts";
import { type ConnectionOptions, clientConfig } from "./connection.ts";
import { prepareSchema } from "./open.ts";
import { DEFAULT_SCHEMA, limitsOf } from "./options.ts";
import { quoted } from "./schema.ts";
import { type PgTable, tablesIn } from "./tables.ts";

/** Rows that are read at once. */
const CHUNK = 500;
/** How long one statement may take: counting a large table is one. */
const ANSWER_TIMEOUT_MS = 600_000;

export interface PostgresArchiveOptions {
  readonly url: string;
  readonly schema?: string | undefined;
}

/**
 * Opens a shared store for an export or an import: one transaction, which sees what was there when it began.
 *
 * @throws StoreRefused when it cannot be reached or used
 */
export async function openPostgresArchive(options: PostgresArchiveOptions): Promise<StoreArchive> {
  const schema = options.schema ?? DEFAULT_SCHEMA;
  const connection: ConnectionOptions = { url: options.url, prepare: false, limits: limitsOf(options) };
  await prepareSchema(connection, schema);
  const client = new pg.Client({ ...clientConfig(connection), query_timeout: ANSWER_TIMEOUT_MS });
  client.on("error", () => undefined);
  await client.connect();
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  return new PostgresArchive(client, schema);
}

class PostgresArchive implements StoreArchive {
  readonly name: string;
  readonly #client: pg.Client;
  readonly #schema: string;
  readonly #tables: ReturnType<typeof tablesIn>;

  constructor(client: pg.Client, schema: string) {
    this.name = `Schema ${schema} of PostgreSQL at ${client.host}:${client.port}`;
    this.#client = client;
    this.#schema = quoted(schema);
    this.#tables = tablesIn(this.#schema);
  }

  async counts(): Promise<Counts> {
    const each = Object.keys(ARCHIVED).map((table) => `(SELECT count(*) FROM ${this.#schema}.${table}) AS ${table}`);
    const { rows } = await this.#client.query(`SELECT ${each.join(", ")}`);
    return rows[0] as Counts;
  }

  async *read(table: ArchivedTable): AsyncGenerator<readonly Row[]> {
    const columns = Object.keys(ARCHIVED[table].columns);
    // In the order of ids, which is the order of creation: the embedded store keeps events as they come.
    const query = `SELECT ${columns.join(", ")} FROM ${this.#schema}.${table} ORDER BY ${columns[0]}`;
    await this.#client.query(`DECLARE archived NO SCROLL CURSOR FOR ${query}`);
    for (;;) {
      const { rows } = await this.#client.query(`FETCH ${CHUNK} FROM archived`);
      if (rows.length === 0) break;
      yield rows as Row[];
    }
    await this.#client.query("CLOSE archived");
  }

  async write(table: ArchivedTable, rows: readonly Row[]): Promise<void> {
    if (table === "secret") {
      const values = columnsOf(
        rows.map((row) => [row.name ?? null, row.value ?? null]),
        [0, 1],
      );
      const text = `INSERT INTO ${this.#schema}.secret SELECT * FROM unnest($1::text[], $2::text[])`;
      await this.#client.query(text, values);
      return;
    }
    const { insertSql, insertValues, table: definition } = this.#of(table);
    const records = rows.map((row) => definition.record(row));
    await this.#client.query(insertSql.text, insertValues(records));
  }

  async commit(): Promise<void> {
    await this.#client.query("COMMIT");
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  /** How rows of a table get in, with the columns that only exist here. */
  #of(table: Exclude<ArchivedTable, "secret">) {
    const name = table === "agent_version" ? "agentVersion" : table;
    const found = this.#tables[name] as unknown as PgTable<{ readonly id: string }>;
    return {
      table: found.table as Table<{ readonly id: string }>,
      insertSql: found.insertSql,
      insertValues: (records: readonly { readonly id: string }[]) =>
        found.insertValues(records.map((one) => found.row(one))),
    };
  }
}
