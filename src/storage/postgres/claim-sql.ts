import { inLineSql, nowSql, type Sql, sql } from "./sql.ts";

/** The first entry of an index on what an environment has delivered, or released with a delay, from a place on. */
const firstSql = (current: string, environmentId: string, column: string, from: string): string =>
  `(SELECT kept.${column} FROM ${current} AS kept WHERE kept.environment_id = ${environmentId}
    AND kept.${column} >= ${from} ORDER BY kept.${column} LIMIT 1)`;

const firstInLineSql = (current: string, environmentId: string, from: string): string =>
  `(SELECT kept.queue_key FROM ${current} AS kept WHERE ${inLineSql(environmentId, from)}
    ORDER BY kept.queue_key LIMIT 1)`;

/**
 * What may be handed out: of each environment as many items as it has claims, from its floors on. Items that the batch has
 * locked anyway are left out ($1), and so are those that others hold at this moment. The first part comes with what is
 * there without regard to locks: the number of items in line, at most one more than was asked for, which tells whether
 * items were left behind; and the first entry of each index, which are the next floors.
 */
export function claimSql(current: string, work: string): Sql {
  const LOCK = "FOR NO KEY UPDATE SKIP LOCKED";
  const NEW = "kept.id <> ALL ($1::text[])";
  const id = "asked.environment_id";
  const inLine = inLineSql("heads.environment_id", "heads.ready_head");
  // The order of what is due is spelled as an expression that no index has: else a plan could walk along all items by id.
  const due = (condition: string): string => `SELECT ${work} FROM ${current} AS kept
    WHERE kept.environment_id = heads.environment_id AND ${condition} AND ${NEW}
    ORDER BY kept.id || '' LIMIT heads.n ${LOCK}`;
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
         WHERE ${inLine} AND ${NEW} ORDER BY kept.queue_key LIMIT heads.n ${LOCK}) AS ready ON true
     UNION ALL
     SELECT NULL, NULL, NULL, NULL, NULL, delivered.*
       FROM heads JOIN unnest($7::text[], $8::bigint[]) AS windows (environment_id, micros)
         ON windows.environment_id = heads.environment_id
       CROSS JOIN LATERAL (${due(
         `kept.delivered_at >= heads.delivered_head AND kept.delivered_at <= ${nowSql(9)} - windows.micros`,
       )}) AS delivered
     UNION ALL
     SELECT NULL, NULL, NULL, NULL, NULL, delayed.*
       FROM heads CROSS JOIN LATERAL (${due(
         `kept.available_at >= heads.delayed_head AND kept.available_at <= ${nowSql(9)}`,
       )}) AS delayed`,
  );
}

/** The first entries of an environment ($1), all from the beginning. */
export const headsSql = (current: string): string =>
  `SELECT ${firstInLineSql(current, "$1::text", "$1::text")} AS ready,
     ${firstSql(current, "$1::text", "delivered_at", "0")} AS delivered,
     ${firstSql(current, "$1::text", "available_at", "0")} AS delayed`;
