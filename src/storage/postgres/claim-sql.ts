import { inLineSql, type Sql, sql } from "./sql.ts";

/** The first entry of an index on what an environment has delivered, or released with a delay, from a place on. */
const firstSql = (current: string, environmentId: string, column: string, from: string): string =>
  `(SELECT kept.${column} FROM ${current} AS kept WHERE kept.environment_id = ${environmentId}
    AND kept.${column} >= ${from} ORDER BY kept.${column} LIMIT 1)`;

const firstInLineSql = (current: string, environmentId: string, from: string): string =>
  `(SELECT kept.queue_key FROM ${current} AS kept WHERE ${inLineSql(environmentId, from)}
    ORDER BY kept.queue_key LIMIT 1)`;

const LOCK = "FOR NO KEY UPDATE SKIP LOCKED";
/** Items that the batch has locked anyway are left out of what it claims. */
const NEW = "kept.id <> ALL ($1::text[])";

/**
 * What may be handed out for the first time: of each environment as many items as it has claims, from its floors on, but
 * none that others hold at this moment. It comes with what is there without regard to locks: the number of items in line,
 * at most one more than was asked for, which tells whether items were left behind; and the first entry of each index, which
 * are the next floors, and tell whether anything is due.
 */
export function claimSql(current: string, work: string): Sql {
  const id = "asked.environment_id";
  const inLine = inLineSql("heads.environment_id", "heads.ready_head");
  return sql(
    "claim",
    `WITH heads AS MATERIALIZED (
       SELECT ${id}, asked.n, ${firstInLineSql(current, id, "asked.ready_floor")} AS ready_head,
         ${firstSql(current, id, "delivered_at", "asked.delivered_floor")} AS delivered_head,
         ${firstSql(current, id, "available_at", "asked.delayed_floor")} AS delayed_head
       FROM unnest($2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[])
         AS asked (environment_id, n, ready_floor, delivered_floor, delayed_floor))
     SELECT heads.environment_id AS in_line_of, line.n AS in_line, heads.ready_head, heads.delivered_head,
         heads.delayed_head, ready.*
       FROM heads
       CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE ${NEW}) AS n FROM (
         SELECT kept.id FROM ${current} AS kept WHERE ${inLine} ORDER BY kept.queue_key LIMIT heads.n + 1) AS kept) AS line
       LEFT JOIN LATERAL (SELECT ${work} FROM ${current} AS kept
         WHERE ${inLine} AND ${NEW} ORDER BY kept.queue_key LIMIT heads.n ${LOCK}) AS ready ON true`,
  );
}

/**
 * What has been delivered and may be handed out once more, or was released and its delay is over: of each environment as
 * many items as it has claims, those that are due between two instants. Hardly ever is anything, and a database prepares
 * for each part of a statement whether that finds something or not, so this is asked only once it is known to be needed.
 *
 * @param column since when an item has been waiting for this
 */
export const claimDueSql = (current: string, work: string, column: "delivered_at" | "available_at"): Sql =>
  // The order is spelled as an expression that no index has: else a plan could walk along all items by id.
  sql(
    `claim_${column}`,
    `SELECT found.* FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
         AS asked (environment_id, n, since, until)
       CROSS JOIN LATERAL (SELECT ${work} FROM ${current} AS kept
         WHERE kept.environment_id = asked.environment_id AND kept.${column} >= asked.since
           AND kept.${column} <= asked.until AND ${NEW}
         ORDER BY kept.id || '' LIMIT asked.n ${LOCK}) AS found`,
  );

/** The first entries of an environment ($1), all from the beginning. */
export const headsSql = (current: string): string =>
  `SELECT ${firstInLineSql(current, "$1::text", "$1::text")} AS ready,
     ${firstSql(current, "$1::text", "delivered_at", "0")} AS delivered,
     ${firstSql(current, "$1::text", "available_at", "0")} AS delayed`;
