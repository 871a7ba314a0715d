/** Everything that bounds a server, by name. The settings table offers each of them to operators. */
export const SERVER_LIMITS = {
  /** Open TCP connections; further ones are closed at once. */
  maxConnections: 25_000,
  /** Polls that may be parked at once; one more that would wait is a 429. */
  maxWaiters: 20_000,
  /** Event streams that may be open at once; a further one is a 429. */
  maxStreams: 10_000,
  /** Bytes that wait for one slow reader of a stream; with more, its connection is closed, and it can resume. */
  maxStreamBufferBytes: 1_048_576,
  /** How often a comment goes over every stream. */
  streamKeepAliveMs: 15_000,
  /** How long a reader that catches up may take nothing before its connection is closed. */
  streamStallMs: 30_000,
  /** Bytes of one request's headers. */
  maxHeaderBytes: 16_384,
  /** How long a client may take to send its headers, and its whole request. */
  headersTimeoutMs: 60_000,
  requestTimeoutMs: 300_000,
  /** How long an idle connection is kept. Above the 60 s of most load balancers, so that they close first. */
  keepAliveTimeoutMs: 72_000,
  /** How deep the arrays and objects of a body may be nested. */
  maxJsonDepth: 128,
  /** How often leases that ended are looked for. */
  sweepMs: 1_000,
  /** How long stopped items stay where the queue works; on PostgreSQL they are moved aside then. */
  retentionDays: 30,
  /** How long a stop waits for requests under way before it closes their connections. */
  drainMs: 10_000,
} as const;

export type ServerLimits = { readonly [K in keyof typeof SERVER_LIMITS]: number };

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface ServerOptions extends Partial<ServerLimits> {
  /** Default 127.0.0.1: nothing outside of this machine can reach the server. */
  readonly host?: string;
  /** Default 8787; 0 for any free one. */
  readonly port?: number;
  /** The folder of the embedded database; not used with a `databaseUrl`. */
  readonly dataDir: string;
  /** A PostgreSQL database that any number of servers may share, instead of the embedded one. */
  readonly databaseUrl?: string | undefined;
  /** Where to listen for other servers when `databaseUrl` is a pooler that shares connections; `none` for nowhere. */
  readonly databaseListenUrl?: string | undefined;
  /** The namespace of the tables. Default capstan. */
  readonly databaseSchema?: string | undefined;
  /** Connections to the database at most, besides the one that listens. Default 10. */
  readonly databasePoolSize?: number | undefined;
  /** Default true; false for poolers that do not keep the prepared statements of their clients apart. */
  readonly databasePrepare?: boolean | undefined;
  /** An admin token of the operator's choice, at least 32 characters. It is valid while the server runs with it. */
  readonly adminToken?: string | undefined;
  /** When set, `/metrics` asks for it as a bearer token. */
  readonly metricsToken?: string | undefined;
  /** Default info: one JSON line per request on stderr. */
  readonly logLevel?: LogLevel;
}
