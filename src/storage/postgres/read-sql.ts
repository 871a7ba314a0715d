import { claimDueSql, claimSql } from "./claim-sql.ts";
import { nowSql, sql } from "./sql.ts";
import type { PgTables } from "./tables.ts";

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
         SELECT due.session_id FROM ${current} AS due WHERE due.sweep_at >= $3 AND due.sweep_at <= ${nowSql(1)}
         ORDER BY due.sweep_at LIMIT $2)) ${LOCK} SKIP LOCKED`,
    ),
    lockDueWorks: sql(
      "lock_due_works",
      `SELECT ${work} FROM ${current} AS kept WHERE kept.sweep_at >= $3 AND kept.sweep_at <= ${nowSql(1)}
       ORDER BY kept.sweep_at LIMIT $2 ${LOCK} SKIP LOCKED`,
    ),
    firstDue: sql(
      "first_due",
      `SELECT kept.sweep_at FROM ${current} AS kept WHERE kept.sweep_at >= $1 ORDER BY kept.sweep_at LIMIT 1`,
    ),
    now: sql("now", `SELECT ${nowSql(1)} AS now`),
    claim: claimSql(current, work),
    claimDelivered: claimDueSql(current, work, "delivered_at"),
    claimDelayed: claimDueSql(current, work, "available_at"),
  };
}
