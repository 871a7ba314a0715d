import type { PgTables, Sql } from "./tables.ts";

/**
 * The instant that a batch decides by: the database's clock when the statement came in, which is after the locks before
 * it were granted. A parameter stands in for it in tests.
 */
export const nowSql = (parameter: number): string =>
  `coalesce($${parameter}::bigint, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)`;

/** Greater than every character of an id, so that `x || LAST` ends the range of keys that begin with `x`. */
const LAST = "~";

/** How a batch reads, and locks, what its commands need. */
export type ReadSql = ReturnType<typeof readSql>;

/**
 * Rows are asked for by a list of ids in ascending order, each looked up on its own: that is the order in which they are
 * locked, and no plan can turn it round. Statements that lock without waiting (`SKIP LOCKED`) may come in any order.
 */
export function readSql(schema: string, tables: PgTables) {
  const byIds = (from: string, columns: string, locking: string): string =>
    `SELECT found.* FROM unnest($1::text[]) AS asked (id)
     CROSS JOIN LATERAL (SELECT ${columns} FROM ${from} AS kept WHERE kept.id = asked.id ${locking}) AS found`;
  const LOCK = "FOR NO KEY UPDATE";
  const session = tables.session.columns("kept");
  const work = tables.work.columns("kept");
  const current = `${schema}.work_current`;
  return {
    /** Sorted, and each queueing fairly: whoever changes an environment is not starved by those who add sessions to it. */
    environmentLocks: sql(
      "lock_environments",
      `SELECT CASE WHEN asked.alone THEN pg_advisory_xact_lock($1::int, asked.key)
         ELSE pg_advisory_xact_lock_shared($1::int, asked.key) END
       FROM unnest($2::int[], $3::boolean[]) AS asked (key, alone)`,
    ),
    /** Sessions by their own ids, and those of items: which session an item belongs to never changes. */
    lockSessions: sql(
      "lock_sessions",
      `SELECT found.* FROM (SELECT DISTINCT one.id FROM (
           SELECT unnest($1::text[]) COLLATE "C" AS id
           UNION ALL SELECT item.session_id FROM ${current} AS item WHERE item.id = ANY($2::text[])) AS one
         ORDER BY one.id) AS asked
       CROSS JOIN LATERAL (SELECT ${session} FROM ${schema}.session AS kept WHERE kept.id = asked.id ${LOCK}) AS found`,
    ),
    lockWorks: sql("lock_works", byIds(current, work, LOCK)),
    tryLockSessions: sql("try_lock_sessions", byIds(`${schema}.session`, session, `${LOCK} SKIP LOCKED`)),
    tryLockWorks: sql("try_lock_works", byIds(current, work, `${LOCK} SKIP LOCKED`)),
    lockRetired: sql("lock_retired", byIds(`${schema}.work_retired`, work, LOCK)),
    lockTokens: sql("lock_tokens", byIds(`${schema}.token`, tables.token.columns("kept"), LOCK)),
    lockAgents: sql("lock_agents", byIds(`${schema}.agent`, tables.agent.columns("kept"), LOCK)),
    agents: sql("read_agents", byIds(`${schema}.agent`, tables.agent.columns("kept"), "")),
    /** Environments by their own ids, and those of sessions. */
    environments: sql(
      "read_environments",
      `SELECT ${tables.environment.columns("kept")} FROM ${schema}.environment AS kept WHERE kept.id = ANY(ARRAY(
         SELECT unnest($1::text[]) COLLATE "C"
         UNION ALL SELECT session.environment_id FROM ${schema}.session WHERE session.id = ANY($2::text[])))`,
    ),
    sessionsOfWorks: sql(
      "read_sessions_of_works",
      `SELECT ${session} FROM ${schema}.session AS kept WHERE kept.id = ANY(ARRAY(
         SELECT item.session_id FROM ${current} AS item WHERE item.id = ANY($1::text[])))`,
    ),
    liveWorks: sql(
      "read_live_works",
      `SELECT ${work} FROM ${current} AS kept WHERE kept.id = ANY(ARRAY(
         SELECT session.live_work_id FROM ${schema}.session WHERE session.id = ANY($1::text[])))`,
    ),
    agentVersions: sql(
      "read_agent_versions",
      `SELECT ${tables.agentVersion.columns("kept")} FROM unnest($1::text[], $2::bigint[]) AS asked (id, version)
       CROSS JOIN LATERAL (SELECT * FROM ${schema}.agent_version AS one
         WHERE one.id = asked.id AND one.version = asked.version) AS kept`,
    ),
    environmentsWithSessions: sql(
      "environments_with_sessions",
      `SELECT asked.id FROM unnest($1::text[]) AS asked (id) WHERE EXISTS (
         SELECT FROM ${schema}.session WHERE session.environment_id = asked.id AND session.deleted_at IS NULL)`,
    ),
    toolResults: sql(
      "tool_results",
      `SELECT asked.session_id, asked.tool_use_id FROM unnest($1::text[], $2::text[]) AS asked (session_id, tool_use_id)
       WHERE EXISTS (SELECT FROM ${schema}.event WHERE event.session_id = asked.session_id
         AND event.tool_use_id = asked.tool_use_id AND event.type = 'user.tool_result')`,
    ),
    /** A sweep takes what it gets: another server may be sweeping the rest. */
    lockDueSessions: sql(
      "lock_due_sessions",
      `SELECT ${session} FROM ${schema}.session AS kept WHERE kept.id = ANY(ARRAY(
         SELECT due.session_id FROM ${current} AS due WHERE due.sweep_at <= ${nowSql(1)}
         ORDER BY due.sweep_at LIMIT $2)) ${LOCK} SKIP LOCKED`,
    ),
    lockDueWorks: sql(
      "lock_due_works",
      `SELECT ${work} FROM ${current} AS kept WHERE kept.sweep_at <= ${nowSql(1)}
       ORDER BY kept.sweep_at LIMIT $2 ${LOCK} SKIP LOCKED`,
    ),
    now: sql("now", `SELECT ${nowSql(1)} AS now`),
    claim: claimSql(current, work),
  };
}

/**
 * What may be handed out: of each environment as many items as it has claims. Items that the batch has locked anyway are
 * left out ($1), and so are those that others hold at this moment. The first part comes with the number of items in line,
 * at most one more than was asked for and without regard to locks: it tells whether items were left behind.
 */
function claimSql(current: string, work: string): Sql {
  const LOCK = "FOR NO KEY UPDATE SKIP LOCKED";
  const NEW = "kept.id <> ALL ($1::text[])";
  const asked = "unnest($2::text[], $3::bigint[]) AS asked (environment_id, n)";
  const inLine = `kept.queue_key > asked.environment_id AND kept.queue_key < asked.environment_id || '${LAST}' AND ${NEW}`;
  // The order of what is due is spelled as an expression that no index has: else a plan could walk along all items by id.
  const due = (condition: string): string => `SELECT ${work} FROM ${current} AS kept
    WHERE kept.environment_id = asked.environment_id AND ${condition} AND ${NEW}
    ORDER BY kept.id || '' LIMIT asked.n ${LOCK}`;
  return sql(
    "claim",
    `SELECT asked.environment_id AS in_line_of, (SELECT count(*) FROM (SELECT FROM ${current} AS kept
         WHERE ${inLine} LIMIT asked.n + 1) AS first) AS in_line, ready.*
       FROM ${asked} LEFT JOIN LATERAL (SELECT ${work} FROM ${current} AS kept
         WHERE ${inLine} ORDER BY kept.queue_key LIMIT asked.n ${LOCK}) AS ready ON true
     UNION ALL
     SELECT NULL, NULL, delivered.*
       FROM unnest($4::text[], $5::bigint[], $6::bigint[]) AS asked (environment_id, n, window_micros)
       CROSS JOIN LATERAL (${due(`kept.delivered_at <= ${nowSql(7)} - asked.window_micros`)}) AS delivered
     UNION ALL
     SELECT NULL, NULL, delayed.*
       FROM ${asked} CROSS JOIN LATERAL (${due(`kept.available_at <= ${nowSql(7)}`)}) AS delayed`,
  );
}

const sql = (name: string, text: string): Sql => ({ name, text });
