import { DEFAULT_RECLAIM_MS } from "../../core/lease.ts";
import { PAGE_BYTES, type Page, type PageRequest, pageScan, toPage } from "../../core/page.ts";
import type {
  AgentRecord,
  AgentVersionRecord,
  EnvironmentRecord,
  EventRecord,
  SessionRecord,
  TokenRecord,
  WorkRecord,
} from "../../core/records.ts";
import { type Micros, msToMicros } from "../../core/time.ts";
import type { WorkState } from "../../core/transitions.ts";
import {
  AGENT,
  AGENT_VERSION,
  ENVIRONMENT,
  EVENT,
  jsonColumns,
  SESSION,
  type Table,
  TOKEN,
  WORK,
} from "../rows/index.ts";
import type { EventFilter, QueueOutlook, QueueStats, SessionFilter } from "../store.ts";
import type { Database, Row, Statement, Value } from "./driver.ts";
import { ITEMS_IN } from "./queue-sql.ts";

interface Condition {
  readonly sql: string;
  readonly values: readonly Value[];
}

const where = (sql: string, ...values: Value[]): Condition => ({ sql, values });
const among = (column: string, values: readonly string[]): Condition =>
  where(`${column} IN (${values.map(() => "?").join(", ")})`, ...values);

/** The read side of the SQLite adapter. */
export class SqliteReads {
  readonly #database: Database;
  /** One per shape of a list: bounded by the number of filters, not by callers. */
  readonly #lists = new Map<string, Statement>();

  constructor(database: Database) {
    this.#database = database;
  }

  environments(page: PageRequest, filter: { includeArchived: boolean }): Page<EnvironmentRecord> {
    const conditions = [where("deleted_at IS NULL")];
    if (!filter.includeArchived) conditions.push(where("archived_at IS NULL"));
    return this.#page(ENVIRONMENT, page, conditions);
  }

  sessions(page: PageRequest, filter: SessionFilter): Page<SessionRecord> {
    const conditions = [where("deleted_at IS NULL")];
    if (filter.environmentId !== undefined) conditions.push(where("environment_id = ?", filter.environmentId));
    if (!filter.includeArchived) conditions.push(where("archived_at IS NULL"));
    if (filter.agentId !== undefined) conditions.push(where("agent_id = ?", filter.agentId));
    if (filter.statuses !== undefined) conditions.push(among("status", filter.statuses));
    return this.#page(SESSION, page, conditions);
  }

  events(sessionId: string, page: PageRequest, filter: EventFilter): Page<EventRecord> {
    const conditions = [where("session_id = ?", sessionId)];
    if (filter.types !== undefined) conditions.push(among("type", filter.types));
    return this.#page(EVENT, page, conditions);
  }

  works(environmentId: string, page: PageRequest, filter: { state?: WorkState | undefined }): Page<WorkRecord> {
    const { state } = filter;
    const conditions = [where("environment_id = ?", environmentId)];
    if (state === undefined) return this.#page(WORK, page, conditions);
    return this.#page(WORK, page, [...conditions, where("state = ?", state)], ITEMS_IN[state]);
  }

  agents(page: PageRequest, filter: { includeArchived: boolean }): Page<AgentRecord> {
    const conditions = [where("deleted_at IS NULL")];
    if (!filter.includeArchived) conditions.push(where("archived_at IS NULL"));
    return this.#page(AGENT, page, conditions);
  }

  /** Newest first. */
  agentVersions(agentId: string, before: number | null, limit: number): AgentVersionRecord[] {
    const sql = "SELECT * FROM agent_version WHERE id = ? AND version < ? ORDER BY version DESC LIMIT ?";
    const rows = this.#statement(sql).all(agentId, before ?? Number.MAX_SAFE_INTEGER, limit) as Row[];
    return rows.map((row) => AGENT_VERSION.record(row));
  }

  secret(name: string): string | undefined {
    return (this.#statement("SELECT value FROM secret WHERE name = ?").get(name) as Row | undefined)?.value as string;
  }

  tokens(page: PageRequest): Page<TokenRecord> {
    return this.#page(TOKEN, page, []);
  }

  tokenByHash(hash: string): TokenRecord | undefined {
    const row = this.#statement("SELECT * FROM token WHERE hash = ?").get(hash) as Row | undefined;
    return row && TOKEN.record(row);
  }

  hasAdminToken(now: Micros): boolean {
    const sql = `SELECT 1 FROM token WHERE role = 'admin' AND revoked_at IS NULL
      AND (expires_at IS NULL OR expires_at > ?) LIMIT 1`;
    return this.#statement(sql).get(now) !== undefined;
  }

  stats(environmentId: string, now: Micros): QueueStats {
    const recent = now - msToMicros(DEFAULT_RECLAIM_MS);
    const ready = this.#number(
      `SELECT count(*) AS n FROM work INDEXED BY work_ready WHERE environment_id = ? AND state = 'queued' AND delivered_at IS NULL
       AND available_at IS NULL`,
      environmentId,
    );
    const delayedDue = this.#number(
      `SELECT count(*) AS n FROM work WHERE environment_id = ? AND state = 'queued' AND available_at IS NOT NULL
       AND available_at <= ?`,
      environmentId,
      now,
    );
    const deliveredDue = this.#number(
      `SELECT count(*) AS n FROM work WHERE environment_id = ? AND state = 'queued' AND delivered_at IS NOT NULL
       AND delivered_at <= ?`,
      environmentId,
      recent,
    );
    const pending = this.#number(
      `SELECT count(*) AS n FROM work WHERE environment_id = ? AND state = 'queued' AND delivered_at IS NOT NULL
       AND delivered_at > ?`,
      environmentId,
      recent,
    );
    return {
      depth: ready + delayedDue + deliveredDue,
      pending,
      oldestQueuedAt: this.#oldestQueued(environmentId),
    };
  }

  /** Three partial indexes hold the queued items: the oldest of the ready ones is their first entry. */
  #oldestQueued(environmentId: string): Micros | null {
    const rows = [
      `SELECT created_at AS n FROM work INDEXED BY work_ready WHERE environment_id = ? AND state = 'queued'
       AND delivered_at IS NULL AND available_at IS NULL ORDER BY id LIMIT 1`,
      `SELECT min(created_at) AS n FROM work WHERE environment_id = ? AND state = 'queued' AND delivered_at IS NOT NULL`,
      `SELECT min(created_at) AS n FROM work WHERE environment_id = ? AND state = 'queued' AND available_at IS NOT NULL`,
    ].map((sql) => this.#statement(sql).get(environmentId) as Row | undefined);
    const stamps = rows.flatMap((row) => (typeof row?.n === "number" ? [row.n] : []));
    return stamps.length === 0 ? null : Math.min(...stamps);
  }

  outlook(environmentId: string, now: Micros): QueueOutlook {
    const first = (sql: string): Micros | null =>
      ((this.#statement(sql).get(environmentId) as Row | undefined)?.n as number | null | undefined) ?? null;
    return {
      now,
      oldestDeliveredAt: first(
        `SELECT delivered_at AS n FROM work WHERE environment_id = ? AND state = 'queued' AND delivered_at IS NOT NULL
         ORDER BY delivered_at LIMIT 1`,
      ),
      nextAvailableAt: first(
        `SELECT available_at AS n FROM work WHERE environment_id = ? AND state = 'queued' AND available_at IS NOT NULL
         ORDER BY available_at LIMIT 1`,
      ),
    };
  }

  /** The newest id of each table whose order callers can see. */
  newestIds(): string[] {
    // Events are inserted in the order of their ids, so the newest is the last row.
    const sql = `SELECT max(id) AS id FROM work UNION ALL SELECT max(id) FROM session UNION ALL
      SELECT max(id) FROM agent UNION ALL SELECT max(id) FROM environment UNION ALL SELECT max(id) FROM token UNION ALL
      SELECT id FROM (SELECT id FROM event ORDER BY rowid DESC LIMIT 1)`;
    return (this.#statement(sql).all() as Row[]).flatMap((row) => (row.id === null ? [] : [row.id as string]));
  }

  /** Takes rows of deleted things away, the dependent ones first, so that an interrupted purge goes on later. */
  purge(limit: number): number {
    const steps = [
      `DELETE FROM event WHERE rowid IN (SELECT event.rowid FROM session CROSS JOIN event ON event.session_id = session.id
       WHERE session.deleted_at IS NOT NULL LIMIT ?)`,
      `DELETE FROM session WHERE id IN (SELECT id FROM session WHERE deleted_at IS NOT NULL LIMIT ?)`,
      `DELETE FROM agent_version WHERE (id, version) IN (SELECT agent_version.id, agent_version.version FROM agent
       CROSS JOIN agent_version ON agent_version.id = agent.id WHERE agent.deleted_at IS NOT NULL LIMIT ?)`,
      `DELETE FROM agent WHERE id IN (SELECT id FROM agent WHERE deleted_at IS NOT NULL LIMIT ?)`,
      `DELETE FROM work WHERE id IN (SELECT work.id FROM environment CROSS JOIN work ON work.environment_id = environment.id
       WHERE environment.deleted_at IS NOT NULL LIMIT ?)`,
      `DELETE FROM environment WHERE id IN (SELECT id FROM environment WHERE deleted_at IS NOT NULL LIMIT ?)`,
    ];
    let purged = 0;
    for (const sql of steps) {
      const changes = Number(this.#statement(sql).run(limit - purged).changes);
      purged += changes;
      if (purged >= limit) break;
    }
    return purged;
  }

  probe(): void {
    this.#statement("SELECT 1").get();
  }

  #number(sql: string, ...values: Value[]): number {
    return (this.#statement(sql).get(...values) as Row).n as number;
  }

  #page<Record extends { readonly id: string }>(
    table: Table<Record>,
    request: PageRequest,
    conditions: readonly Condition[],
    source = table.name,
  ): Page<Record> {
    const scan = pageScan(request);
    const all = scan.bound === null ? conditions : [...conditions, where(`id ${scan.operator} ?`, scan.bound)];
    const filter = all.length === 0 ? "" : `WHERE ${all.map((condition) => condition.sql).join(" AND ")}`;
    const sql = `SELECT * FROM ${source} ${filter} ORDER BY id ${scan.direction} LIMIT ?`;
    const values = all.flatMap((condition) => condition.values);
    const large = jsonColumns(table);
    const records: Record[] = [];
    let bytes = 0;
    for (const row of this.#statement(sql).iterate(...values, scan.rows) as Iterable<Row>) {
      if (bytes > PAGE_BYTES) return toPage(request, records, true);
      records.push(table.record(row));
      for (const column of large) bytes += (row[column] as string | null)?.length ?? 0;
    }
    return toPage(request, records);
  }

  #statement(sql: string): Statement {
    let statement = this.#lists.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#lists.set(sql, statement);
    }
    return statement;
  }
}
