import { type Micros, msToMicros, secondsToMicros } from "../../core/time.ts";
import type { Query } from "./lists.ts";
import { nowSql } from "./sql.ts";

/** How long after its last poll a worker is forgotten. */
const FORGET_POLLERS_MICROS = secondsToMicros(3_600);

interface Step {
  readonly text: string;
  readonly timed: boolean;
}

/**
 * Takes rows away that nobody needs any more. Every server does so all the time, in steps of bounded size, and leaves
 * alone what another one is at.
 */
export class Housekeeping {
  readonly #query: Query;
  readonly #fixedNow: () => Micros | null;
  readonly #anything: string;
  readonly #steps: readonly Step[];
  readonly #retire: string;

  /** @param schema quoted where that is needed */
  constructor(query: Query, schema: string, fixedNow: () => Micros | null) {
    this.#query = query;
    this.#fixedNow = fixedNow;
    const forgotten = `polled_at < ${nowSql(1)} - ${FORGET_POLLERS_MICROS}`;
    this.#anything = `SELECT 1 AS one WHERE ${anyDeleted(schema)}
      OR EXISTS (SELECT FROM ${schema}.poller WHERE ${forgotten})`;
    this.#retire = `UPDATE ${schema}.work SET retired = true WHERE NOT retired AND id = ANY(ARRAY(
      SELECT id FROM ${schema}.work_current WHERE stopped_at < ${nowSql(1)} - $2
      ORDER BY stopped_at LIMIT $3 FOR UPDATE SKIP LOCKED)) RETURNING 1`;
    this.#steps = [
      belonging(schema, "event", "session", "session_id"),
      gone(schema, "session", { event: "session_id" }),
      belonging(schema, "work_current", "environment", LISTED),
      belonging(schema, "work_retired", "environment", LISTED),
      gone(schema, "environment", { work_current: LISTED, work_retired: LISTED }),
      belonging(schema, "agent_version", "agent", "id"),
      gone(schema, "agent", { agent_version: "id" }),
      {
        text: `DELETE FROM ${schema}.poller WHERE ctid = ANY(ARRAY(SELECT ctid FROM ${schema}.poller
          WHERE ${forgotten} LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1`,
        timed: true,
      },
    ];
  }

  /** Deletes rows of deleted things, the dependent ones first, so that an interrupted purge goes on later. */
  async purge(limit: number): Promise<number> {
    const now = this.#fixedNow();
    if ((await this.#query(this.#anything, [now])).length === 0) return 0;
    let purged = 0;
    for (const { text, timed } of this.#steps) {
      const left = limit - purged;
      purged += (await this.#query(text, timed ? [now, left] : [left])).length;
      if (purged >= limit) break;
    }
    return purged;
  }

  /** Moves stopped items to the other part of their table, where no index of the queue is. */
  async retire(limit: number, olderThanMs: number): Promise<number> {
    return (await this.#query(this.#retire, [this.#fixedNow(), msToMicros(olderThanMs), limit])).length;
  }
}

/**
 * Whether a purge has anything to do. Each first one is asked for in the order of its own index: an EXISTS could be planned as
 * a look through the whole table, which every server would take each second.
 */
export const anyDeleted = (schema: string): string =>
  ["session", "environment", "agent"]
    .map((table) => `(SELECT id FROM ${schema}.${table} WHERE deleted_at IS NOT NULL ORDER BY id LIMIT 1) IS NOT NULL`)
    .join(" OR ");

/** The one index on items by environment wants to be asked like this. */
const LISTED = `environment_id COLLATE "POSIX"`;

/** Rows of a table whose owner has been deleted. */
function belonging(schema: string, table: string, owner: string, column: string): Step {
  const text = `DELETE FROM ${schema}.${table} WHERE ctid = ANY(ARRAY(
    SELECT one.ctid FROM ${schema}.${owner} AS owner
    CROSS JOIN LATERAL (SELECT kept.ctid FROM ${schema}.${table} AS kept WHERE kept.${column} = owner.id
      LIMIT $1 FOR UPDATE SKIP LOCKED) AS one
    WHERE owner.deleted_at IS NOT NULL LIMIT $1)) RETURNING 1`;
  return { text, timed: false };
}

/** Deleted rows to which no other row belongs any more, also none that another server has not finished with. */
function gone(schema: string, table: string, dependents: Readonly<Record<string, string>>): Step {
  const free = Object.entries(dependents).map(
    ([name, column]) => `AND NOT EXISTS (SELECT FROM ${schema}.${name} AS its WHERE its.${column} = owner.id)`,
  );
  const text = `DELETE FROM ${schema}.${table} WHERE id = ANY(ARRAY(
    SELECT owner.id FROM ${schema}.${table} AS owner WHERE owner.deleted_at IS NOT NULL ${free.join(" ")}
    LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING 1`;
  return { text, timed: false };
}
