import { DEFAULT_RECLAIM_MS } from "../../core/lease.ts";
import type {
  AgentRecord,
  AgentVersionRecord,
  EnvironmentRecord,
  SessionRecord,
  TokenRecord,
  WorkRecord,
} from "../../core/records.ts";
import { type Micros, msToMicros } from "../../core/time.ts";
import type { QueueOutlook, QueueStats, StateCount } from "../store.ts";
import { arrayOf } from "./arrays.ts";
import type { Heads } from "./claim-floors.ts";
import { headsSql } from "./claim-sql.ts";
import type { Query } from "./lists.ts";
import { SharedLookup } from "./shared-lookup.ts";
import { nowSql } from "./sql.ts";
import type { PgTable, PgTables } from "./tables.ts";
import { withinBytes } from "./within-bytes.ts";

/**
 * The reads of the PostgreSQL adapter that are no lists. They are planned each time: a plan that was made when a table
 * was small, and kept, would go on reading all of it when it is large.
 */
export class PostgresReads {
  readonly #query: Query;
  readonly #schema: string;
  readonly #tables: PgTables;
  readonly #fixedNow: () => Micros | null;
  readonly #tokens: SharedLookup<TokenRecord>;

  /** @param maxWaiting lookups of tokens that may wait */
  constructor(query: Query, schema: string, tables: PgTables, fixedNow: () => Micros | null, maxWaiting: number) {
    this.#query = query;
    this.#schema = schema;
    this.#tables = tables;
    this.#fixedNow = fixedNow;
    this.#tokens = new SharedLookup((hashes) => this.#tokensByHash(hashes), maxWaiting);
  }

  async now(): Promise<Micros> {
    const [row] = await this.#query(`SELECT ${nowSql(1)} AS now`, [this.#fixedNow()]);
    return row?.now as number;
  }

  environment(id: string): Promise<EnvironmentRecord | undefined> {
    return this.#one(this.#tables.environment, id, "AND kept.deleted_at IS NULL");
  }

  session(id: string): Promise<SessionRecord | undefined> {
    return this.#one(this.#tables.session, id, "AND kept.deleted_at IS NULL");
  }

  agent(id: string): Promise<AgentRecord | undefined> {
    return this.#one(this.#tables.agent, id, "AND kept.deleted_at IS NULL");
  }

  work(id: string): Promise<WorkRecord | undefined> {
    return this.#one(this.#tables.work, id);
  }

  /** Newest first. Whoever asks gets all that he asks for, but no answer of the database is larger than a page. */
  async agentVersions(agentId: string, before: number | null, limit: number): Promise<AgentVersionRecord[]> {
    const { agentVersion } = this.#tables;
    const text = withinBytes(agentVersion, {
      from: `${this.#schema}.agent_version AS kept WHERE kept.id = $1 AND kept.version < $2`,
      key: "version",
      direction: "DESC",
      limit: "$3",
    });
    const found: AgentVersionRecord[] = [];
    let below = before ?? Number.MAX_SAFE_INTEGER;
    for (;;) {
      const rows = await this.#query(text, [agentId, below, limit - found.length]);
      for (const row of rows) found.push(agentVersion.table.record(row));
      const last = rows.at(-1);
      if (last === undefined || last.next === null) return found;
      below = last.version as number;
    }
  }

  /** Every call with a token that is not known yet comes here, also those of whoever tries out tokens. */
  tokenByHash(hash: string): Promise<TokenRecord | undefined> {
    return this.#tokens.get(hash);
  }

  async hasAdminToken(): Promise<boolean> {
    const text = `SELECT 1 AS one FROM ${this.#schema}.token WHERE role = 'admin' AND revoked_at IS NULL
      AND (expires_at IS NULL OR expires_at > ${nowSql(1)}) LIMIT 1`;
    return (await this.#query(text, [this.#fixedNow()])).length > 0;
  }

  /** All of it counted in one statement, so on one snapshot. */
  async stats(environmentId: string): Promise<QueueStats> {
    const work = `${this.#schema}.work_current AS kept`;
    const recent = `${nowSql(2)} - ${msToMicros(DEFAULT_RECLAIM_MS)}`;
    const ready = "kept.queue_key > $1 AND kept.queue_key < $1 || '~'";
    const delivered = "kept.environment_id = $1 AND kept.delivered_at IS NOT NULL";
    const delayed = "kept.environment_id = $1 AND kept.available_at IS NOT NULL";
    const text = `SELECT
      (SELECT count(*) FROM ${work} WHERE ${ready})
        + (SELECT count(*) FROM ${work} WHERE ${delayed} AND kept.available_at <= ${nowSql(2)})
        + (SELECT count(*) FROM ${work} WHERE ${delivered} AND kept.delivered_at <= ${recent}) AS depth,
      (SELECT count(*) FROM ${work} WHERE ${delivered} AND kept.delivered_at > ${recent}) AS pending,
      least((SELECT kept.created_at FROM ${work} WHERE ${ready} ORDER BY kept.queue_key LIMIT 1),
        (SELECT min(kept.created_at) FROM ${work} WHERE ${delivered}),
        (SELECT min(kept.created_at) FROM ${work} WHERE ${delayed})) AS oldest`;
    const [row] = await this.#query(text, [environmentId, this.#fixedNow()]);
    return {
      depth: row?.depth as number,
      pending: row?.pending as number,
      oldestQueuedAt: row?.oldest as number | null,
    };
  }

  async outlook(environmentId: string): Promise<QueueOutlook> {
    const first = (column: string): string =>
      `(SELECT kept.${column} FROM ${this.#schema}.work_current AS kept WHERE kept.environment_id = $1
        AND kept.${column} IS NOT NULL ORDER BY kept.${column} LIMIT 1)`;
    const text = `SELECT ${nowSql(2)} AS now, ${first("delivered_at")} AS delivered, ${first("available_at")} AS available`;
    const [row] = await this.#query(text, [environmentId, this.#fixedNow()]);
    return {
      now: row?.now as number,
      oldestDeliveredAt: row?.delivered as number | null,
      nextAvailableAt: row?.available as number | null,
    };
  }

  /** The first entries of an environment's queue, from the very beginning. */
  async heads(environmentId: string): Promise<Heads> {
    const [row] = await this.#query(headsSql(`${this.#schema}.work_current`), [environmentId]);
    return {
      ready: row?.ready as string | null,
      delivered: row?.delivered as number | null,
      delayed: row?.delayed as number | null,
    };
  }

  /** Retired items, nearly all of them in the long run, have one state: to count them, none has to be looked into. */
  async countWork(): Promise<StateCount[]> {
    const text = `SELECT state, sum(n)::bigint AS n FROM (
        SELECT state, count(*) AS n FROM ${this.#schema}.work_current GROUP BY state
        UNION ALL SELECT 'stopped', count(*) FROM ${this.#schema}.work_retired) AS part
      WHERE n > 0 GROUP BY state`;
    const rows = await this.#query(text, []);
    return rows.map((row) => ({ state: row.state as string, count: row.n as number }));
  }

  /** The newest id of each table whose order callers can see; a session's events go on from the session's own last one. */
  async newestIds(): Promise<string[]> {
    const tables = ["work_current", "work_retired", "session", "environment", "agent", "token"];
    const text = tables.map((table) => `SELECT max(id) AS id FROM ${this.#schema}.${table}`).join(" UNION ALL ");
    return (await this.#query(text, [])).flatMap((row) => (row.id === null ? [] : [row.id as string]));
  }

  /** @param fresh what it becomes if nobody has made it before */
  async secret(name: string, fresh: string): Promise<string> {
    const table = `${this.#schema}.secret`;
    await this.#query(`INSERT INTO ${table} (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, [name, fresh]);
    const [row] = await this.#query(`SELECT value FROM ${table} WHERE name = $1`, [name]);
    return row?.value as string;
  }

  async #tokensByHash(hashes: readonly string[]): Promise<ReadonlyMap<string, TokenRecord>> {
    const { token } = this.#tables;
    const text = `SELECT ${token.columns("kept")} FROM ${this.#schema}.token AS kept WHERE kept.hash = ANY($1::text[])`;
    const rows = await this.#query(text, [arrayOf(hashes)]);
    return new Map(rows.map((row) => [row.hash as string, token.table.record(row)]));
  }

  async #one<Record extends { readonly id: string }>(
    { table, columns }: Pick<PgTable<Record>, "table" | "columns">,
    id: string,
    condition = "",
  ): Promise<Record | undefined> {
    const text = `SELECT ${columns("kept")} FROM ${this.#schema}.${table.name} AS kept WHERE kept.id = $1 ${condition}`;
    const [row] = await this.#query(text, [id]);
    return row && table.record(row);
  }
}
