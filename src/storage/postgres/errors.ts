import { StoreUnavailable } from "../store.ts";

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: what rolls back by itself and may pass the next time. */
const TRY_AGAIN: ReadonlySet<string> = new Set([
  "40001", // serialization_failure, also a row that moved to the other part of `work`
  "40P01", // deadlock_detected
]);

/** Classes and codes that mean that the database cannot be used now, whatever we had asked it. */
const AWAY_CLASSES: ReadonlySet<string> = new Set([
  "08", // connection exceptions
  "28", // invalid authorization: a password that was changed under us
  "40", // rolled back, and the repeats did not help
  "53", // insufficient resources: too many connections, disk full, out of memory
  "58", // errors of the machine around the database
]);
const AWAY_CODES: ReadonlySet<string> = new Set([
  "25006", // read_only_sql_transaction: a standby, during a failover
  "25P02", // in_failed_sql_transaction: follows from another failure
  "25P03", // idle_in_transaction_session_timeout
  "3D000", // the database itself is gone
  "55P03", // lock_not_available: someone holds a row for longer than we wait
  "57014", // query_canceled, by a timeout or a person
  "57P01", // admin_shutdown
  "57P02", // crash_shutdown
  "57P03", // cannot_connect_now
  "57P05", // idle_session_timeout
]);

/** What comes of a pooler that gives a transaction to a connection on which another client has prepared statements. */
const MIXED_UP_STATEMENTS: ReadonlySet<string> = new Set([
  "26000", // invalid_sql_statement_name: prepared on another connection
  "42P05", // duplicate_prepared_statement: prepared on this one by somebody else
]);
const MIXED_UP =
  "The database URL leads to a pooler that mixes up prepared statements. Start the server with --database-prepare off (CAPSTAN_DATABASE_PREPARE=off), or use PgBouncer 1.21 or newer with max_prepared_statements.";

export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Whether the transaction has certainly not happened, and doing it again makes sense. */
export const isRolledBack = (error: unknown): boolean => TRY_AGAIN.has(sqlState(error) ?? "");

/** Whether the connection, and not only the statement, is of no use any more. */
export const isConnectionLost = (error: unknown): boolean =>
  sqlState(error) === undefined || (error as { severity?: string }).severity === "FATAL";

/** An error of the driver that has no SQLSTATE: the connection broke, could not be made, or answered nothing in time. */
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout exceeded|timeout expired|Query read timeout|Client (has encountered|was closed)|Cannot use a pool)/;

/** The driver finds out by itself that it has no password to prove: the server has not refused anything yet. */
export const isPasswordMissing = (error: unknown): boolean =>
  error instanceof Error && /^SASL: \S+ client password must be/.test(error.message);

function isDriverFailure(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code === "string" && /^E[A-Z_]+$/.test(code)) return !code.startsWith("ERR_");
  // Several addresses of one host name failed, each for its own reason.
  if (error instanceof AggregateError) return true;
  return isPasswordMissing(error) || DRIVER_MESSAGES.test(error.message);
}

/** Tells "the database cannot be used now" from a defect of ours. Messages of the database stay in the cause. */
export function unavailable(error: unknown): unknown {
  if (error instanceof StoreUnavailable || !(error instanceof Error)) return error;
  const state = sqlState(error);
  if (state !== undefined && MIXED_UP_STATEMENTS.has(state)) return new StoreUnavailable(MIXED_UP, { cause: error });
  const away =
    state === undefined ? isDriverFailure(error) : AWAY_CLASSES.has(state.slice(0, 2)) || AWAY_CODES.has(state);
  if (!away) return error;
  return new StoreUnavailable(`The database cannot be used: ${reasonOf(state, error)}.`, { cause: error });
}

/** The same for what failed once a COMMIT was sent: when its answer is lost, nobody knows what became of it. */
export function unavailableAtCommit(error: unknown): unknown {
  const told = unavailable(error);
  if (!(told instanceof StoreUnavailable) || !isConnectionLost(error)) return told;
  return new StoreUnavailable(told.message, { cause: error, mayHaveHappened: true });
}

function reasonOf(state: string | undefined, error: Error): string {
  if (isPasswordMissing(error)) return "it wants a password, and the database URL has none";
  if (state === undefined) return `no connection (${(error as NodeJS.ErrnoException).code ?? "lost"})`;
  if (state === "55P03") return "a row was locked for too long";
  if (state === "57014") return "a statement took too long";
  return `it said ${state}`;
}
