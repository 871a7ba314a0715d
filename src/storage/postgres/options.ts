import type { Clock } from "../../core/clock.ts";

/** Everything that bounds the use of a PostgreSQL database by one server. */
export const POSTGRES_LIMITS = {
  /** Connections at most, besides the one that listens. */
  poolSize: 10,
  /** Batches of writes under way at once, see `Batcher`; each holds a connection, the others are for reads. */
  maxBatches: 2,
  /** Reads that may wait for a connection; a further one is told to come back. */
  maxWaitingReads: 2_000,
  /** How long to wait for a connection, be it a new one or one that others use. */
  connectTimeoutMs: 3_000,
  /** How long the server works on one statement, and waits for one lock. */
  statementTimeoutMs: 5_000,
  lockTimeoutMs: 3_000,
  /** How long the server keeps a transaction, and its locks, of one of us that has fallen silent. */
  idleTransactionTimeoutMs: 5_000,
  /** How long to wait for an answer before the connection is taken for dead. Above all of the server's own limits. */
  answerTimeoutMs: 8_000,
  /**
   * Hints for other servers: this many at once, then one per interval. Each one wakes every server, so that what they cost
   * all servers together grows with the square of their number.
   */
  hintBurst: 10,
  hintIntervalMs: 20,
  /** How often the connection that listens is asked for a sign of life. */
  listenerCheckMs: 5_000,
  /** How often everybody who waits looks again, in case a hint was lost; and while no connection listens. */
  safetyPollMs: 5_000,
  safetyPollDeafMs: 1_000,
} as const;

export type PostgresLimits = { readonly [K in keyof typeof POSTGRES_LIMITS]: number };

export const DEFAULT_SCHEMA = "capstan";

export interface PostgresStoreOptions extends Partial<PostgresLimits> {
  /** `postgres://user:password@host:port/database`; what it leaves out is taken as libpq does. */
  readonly url: string;
  /**
   * Where to listen for what other servers commit: a URL that leads to the database itself when `url` leads to a pooler
   * that shares connections between transactions; `false` for nowhere. Default: `url`.
   */
  readonly listenUrl?: string | false | undefined;
  /** The namespace of all tables; made when it does not exist. */
  readonly schema?: string | undefined;
  /** Whether statements are prepared once per connection. Off for poolers that do not keep prepared statements apart. */
  readonly prepare?: boolean | undefined;
  /** For tests. Default: the clock of the database. */
  readonly clock?: Clock | undefined;
}

export function limitsOf(options: PostgresStoreOptions): PostgresLimits {
  const names = Object.keys(POSTGRES_LIMITS) as (keyof PostgresLimits)[];
  const entries = names.map((name) => [name, options[name] ?? POSTGRES_LIMITS[name]] as const);
  return Object.fromEntries(entries) as unknown as PostgresLimits;
}
