import { type Page, type PageRequest, pageScan, toPage } from "../../core/page.ts";
import type {
  AgentRecord,
  EnvironmentRecord,
  EventRecord,
  SessionRecord,
  TokenRecord,
  WorkRecord,
} from "../../core/records.ts";
import type { WorkState } from "../../core/transitions.ts";
import type { Row, Value } from "../rows/index.ts";
import type { EventFilter, SessionFilter } from "../store.ts";
import { arrayOf } from "./arrays.ts";
import type { PgTable, PgTables } from "./tables.ts";
import { withinBytes } from "./within-bytes.ts";

/** Runs one statement outside of any transaction and answers its rows. */
export type Query = (text: string, values: readonly Value[]) => Promise<readonly Row[]>;

/** A condition of a list; `?` stands for its value. */
interface Condition {
  readonly sql: string;
  readonly value?: Value;
}

const where = (sql: string, value?: Value): Condition => (value === undefined ? { sql } : { sql, value });
const NOT_DELETED = where("deleted_at IS NULL");
const NOT_ARCHIVED = where("archived_at IS NULL");

/** The lists of the PostgreSQL adapter: each is one scan of one index, bounded in rows and bytes. */
export class PostgresLists {
  readonly #query: Query;
  readonly #schema: string;
  readonly #tables: PgTables;

  constructor(query: Query, schema: string, tables: PgTables) {
    this.#query = query;
    this.#schema = schema;
    this.#tables = tables;
  }

  environments(page: PageRequest, { includeArchived }: { includeArchived: boolean }): Promise<Page<EnvironmentRecord>> {
    const conditions = includeArchived ? [NOT_DELETED] : [NOT_DELETED, NOT_ARCHIVED];
    return this.#page(this.#tables.environment, page, conditions);
  }

  agents(page: PageRequest, { includeArchived }: { includeArchived: boolean }): Promise<Page<AgentRecord>> {
    const conditions = includeArchived ? [NOT_DELETED] : [NOT_DELETED, NOT_ARCHIVED];
    return this.#page(this.#tables.agent, page, conditions);
  }

  sessions(page: PageRequest, filter: SessionFilter): Promise<Page<SessionRecord>> {
    const conditions = [NOT_DELETED];
    if (!filter.includeArchived) conditions.push(NOT_ARCHIVED);
    if (filter.environmentId !== undefined) conditions.push(where("environment_id = ?", filter.environmentId));
    if (filter.agentId !== undefined) conditions.push(where("agent_id = ?", filter.agentId));
    if (filter.statuses !== undefined) conditions.push(where("status = ANY(?::text[])", arrayOf(filter.statuses)));
    return this.#page(this.#tables.session, page, conditions);
  }

  events(sessionId: string, page: PageRequest, filter: EventFilter): Promise<Page<EventRecord>> {
    const conditions = [where("session_id = ?", sessionId)];
    if (filter.types !== undefined) conditions.push(where("type = ANY(?::text[])", arrayOf(filter.types)));
    return this.#page(this.#tables.event, page, conditions);
  }

  works(
    environmentId: string,
    page: PageRequest,
    filter: { state?: WorkState | undefined },
  ): Promise<Page<WorkRecord>> {
    const conditions = [where(`environment_id COLLATE "POSIX" = ?`, environmentId)];
    if (filter.state !== undefined) conditions.push(where("state = ?", filter.state));
    return this.#page(this.#tables.work, page, conditions);
  }

  tokens(page: PageRequest): Promise<Page<TokenRecord>> {
    return this.#page(this.#tables.token, page, []);
  }

  async #page<Record extends { readonly id: string }>(
    kind: Pick<PgTable<Record>, "table" | "columns">,
    request: PageRequest,
    conditions: readonly Condition[],
  ): Promise<Page<Record>> {
    const scan = pageScan(request);
    const all = scan.bound === null ? conditions : [...conditions, where(`id ${scan.operator} ?`, scan.bound)];
    const values: Value[] = [];
    const filters = all.map(({ sql, value }) => {
      if (value === undefined) return sql;
      values.push(value);
      return sql.replace("?", `$${values.length}`);
    });
    values.push(scan.rows);
    const filter = filters.length === 0 ? "" : `WHERE ${filters.join(" AND ")}`;
    const text = withinBytes(kind, {
      from: `${this.#schema}.${kind.table.name} AS kept ${filter}`,
      key: "id",
      direction: scan.direction,
      limit: `$${values.length}`,
    });
    const rows = await this.#query(text, values);
    const cutShort = typeof rows.at(-1)?.next === "string";
    return toPage(
      request,
      rows.map((row) => kind.table.record(row)),
      cutShort,
    );
  }
}
