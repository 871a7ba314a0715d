import pg from "pg";
import type { ColumnType, Row, Table } from "../rows/index.ts";
import { ARCHIVED, type ArchivedTable, Chunk, type Counts, type StoreArchive } from "../transfer.ts";
import { columnsOf } from "./arrays.ts";
import { type ConnectionOptions, clientConfig } from "./connection.ts";
import { prepareSchema } from "./open.ts";
import { DEFAULT_SCHEMA, limitsOf } from "./options.ts";
import { quoted } from "./schema.ts";
import { type PgTable, tablesIn } from "./tables.ts";

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
    const typed = Object.entries<ColumnType>(ARCHIVED[table].columns);
    const columns = typed.map(([column]) => column);
    const long = typed.flatMap(([column, type]) => (type === "json" || type === "text" ? [column] : []));
    // In the order of ids, which is the order of creation: the embedded store keeps events as they come. Versions of an agent
    // share its id, and both cursors have to go through them in one order.
    const from = `FROM ${this.#schema}.${table} ORDER BY ${columns[0]}, ${columns[1]}`;
    const bytes = long.map((column) => `coalesce(octet_length(${column}::text), 0)`).join(" + ");
    await this.#client.query(`DECLARE archived NO SCROLL CURSOR FOR SELECT ${columns.join(", ")} ${from}`);
    // Once a row has been fetched it is too late to find that it is too long: this one goes ahead and tells.
    await this.#client.query(`DECLARE lengths NO SCROLL CURSOR FOR SELECT ${bytes} AS bytes ${from}`);
    const chunk = new Chunk<null>();
    for (;;) {
      const { rows: ahead } = await this.#client.query(`FETCH ${Chunk.MAX.rows} FROM lengths`);
      if (ahead.length === 0) break;
      for (const { bytes } of ahead) {
        if (chunk.isFullFor(bytes)) yield await this.#fetch(chunk.take().length);
        chunk.add(null, bytes);
      }
    }
    yield await this.#fetch(chunk.take().length);
    await this.#client.query("CLOSE archived; CLOSE lengths");
  }

  async #fetch(count: number): Promise<readonly Row[]> {
    // FETCH 0 would be the last row once more.
    if (count === 0) return [];
    return (await this.#client.query(`FETCH ${count} FROM archived`)).rows;
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
