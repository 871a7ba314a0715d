import pg from "pg";
import type { Row, Value } from "../rows/index.ts";
import { isConnectionLost } from "./errors.ts";
import type { PostgresLimits } from "./options.ts";
import { parserOf } from "./parsers.ts";
import { RoundTrip } from "./round-trip.ts";
import { type Sql, sql, untilItsEnd } from "./sql.ts";

const TYPES = { getTypeParser: parserOf } as pg.CustomTypesConfig;

export type Client = pg.PoolClient;

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

/** A bounded set of connections for one purpose, made when they are needed. */
export class Connections {
  readonly #pool: pg.Pool;
  readonly #prepare: boolean;
  readonly #timed: Sql;

  constructor(options: ConnectionOptions, size: number) {
    this.#pool = new pg.Pool({ ...clientConfig(options), max: size });
    this.#prepare = options.prepare;
    const { statementTimeoutMs } = options.limits;
    this.#timed = sql("timed", `SELECT ${untilItsEnd("statement_timeout", statementTimeoutMs)}`);
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

  /** Statements to be sent together on one of these connections. */
  roundTrip(): RoundTrip {
    return new RoundTrip(this.#prepare);
  }

  /**
   * One statement by itself, planned anew, and ended by the server when it takes too long: whoever waits for it would give
   * up, and the server would go on with what nobody wants any more. Both statements of the trip are one transaction to the
   * server, which the setting does not outlive, so that this holds behind a pooler, too.
   */
  async query(text: string, values: readonly Value[]): Promise<readonly Row[]> {
    let rows: readonly Row[] = [];
    const trip = new RoundTrip(false);
    trip.add(this.#timed);
    trip.add(sql("", text), values, (taken) => {
      rows = taken;
    });
    await this.use((client) => trip.run(client));
    return rows;
  }

  /** A statement that comes again and again, so that it stays prepared, and whose rows nobody wants. */
  async run(statement: Sql, values: readonly Value[]): Promise<void> {
    const trip = this.roundTrip();
    trip.add(statement, values);
    await this.use((client) => trip.run(client));
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
