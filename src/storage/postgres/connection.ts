import pg from "pg";
import { isConnectionLost } from "./errors.ts";
import type { PostgresLimits } from "./options.ts";
import type { Sql } from "./sql.ts";

type Parser = (text: string) => unknown;

/** Rows as the tables expect them: numbers for 64-bit integers (microseconds fit until 2255), 0 and 1, JSON as its text. */
const PARSERS: Readonly<Record<number, Parser>> = {
  [pg.types.builtins.INT8]: Number,
  [pg.types.builtins.INT4]: Number,
  [pg.types.builtins.BOOL]: (text) => (text === "t" ? 1 : 0),
};
const asText: Parser = (text) => text;
const TYPES = { getTypeParser: (oid: number) => PARSERS[oid] ?? asText } as pg.CustomTypesConfig;

export type Client = pg.PoolClient;
export type QueryResult = pg.QueryResult<Record<string, null | number | string>>;

export interface ConnectionOptions {
  readonly url: string;
  readonly prepare: boolean;
  readonly limits: PostgresLimits;
}

export function clientConfig({ url, limits }: ConnectionOptions): pg.ClientConfig {
  return {
    connectionString: url,
    types: TYPES,
    application_name: "capstan",
    keepAlive: true,
    keepAliveInitialDelayMillis: limits.answerTimeoutMs,
    connectionTimeoutMillis: limits.connectTimeoutMs,
    query_timeout: limits.answerTimeoutMs,
  };
}

interface Corkable {
  readonly connection?: { readonly stream?: { cork?(): void; uncork?(): void } };
}

/** Lets statements leave in one packet, where each would be a system call of its own. */
export function together<T>(client: Client, send: () => T): T {
  const stream = (client as unknown as Corkable).connection?.stream;
  stream?.cork?.();
  try {
    return send();
  } finally {
    stream?.uncork?.();
  }
}

/** A bounded set of connections for one purpose, made when they are needed. */
export class Connections {
  readonly #pool: pg.Pool;
  readonly #prepare: boolean;

  constructor(options: ConnectionOptions, size: number) {
    this.#pool = new pg.Pool({ ...clientConfig(options), max: size, pipeline: true } as pg.PoolConfig);
    this.#prepare = options.prepare;
    // Without listeners a connection that breaks would end the process. Whoever uses it gets the error from its query.
    this.#pool.on("error", () => undefined);
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
  }

  /** Callers that wait for a connection now. */
  get waiting(): number {
    return this.#pool.waitingCount;
  }

  /** Lends a connection. One on which something broke is not used again. */
  async use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      client.release(isConnectionLost(error));
      throw error;
    }
  }

  /** One statement; several may be sent on a client before the first is answered, and are run in that order. */
  send(client: Pick<Client, "query">, sql: Sql, values: readonly unknown[]): Promise<QueryResult> {
    const { name, text } = sql;
    return client.query(this.#prepare ? { name, text, values: [...values] } : { text, values: [...values] });
  }

  /** One statement by itself, planned anew. */
  query(text: string, values: readonly unknown[]): Promise<QueryResult> {
    return this.use((client) => client.query({ text, values: [...values] }));
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

/**
 * Waits for statements that were sent together. When one fails, the database skips those behind it or answers that the
 * transaction is over; the first failure is the cause.
 */
export async function answersOf(sent: readonly Promise<QueryResult>[]): Promise<QueryResult[]> {
  const settled = await Promise.allSettled(sent);
  const failed = settled.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return settled.map((result) => (result as PromiseFulfilledResult<QueryResult>).value);
}
