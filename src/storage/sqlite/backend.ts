import type { Clock } from "../../core/clock.ts";
import { INPUT_EVENT_TYPES } from "../../core/event-types.ts";
import type { AgentRecord, EnvironmentRecord, SessionRecord, TokenRecord, WorkRecord } from "../../core/records.ts";
import { type Changes, claimRows, type Loaded, type Needs } from "../../core/unit.ts";
import type { Backend } from "../batcher.ts";
import { AGENT, AGENT_VERSION, ENVIRONMENT, EVENT, SESSION, TOKEN, WORK } from "../rows/index.ts";
import { type StateCount, StoreUnavailable } from "../store.ts";
import { type Database, type Row, SQLITE, type Statement, sqliteCode } from "./driver.ts";
import { LimitedQuery, QUEUE_SQL } from "./queue-sql.ts";
import { insertInto, TableAccess } from "./tables.ts";
import { WorkCounts } from "./work-counts.ts";

/** Rows kept in memory per table; a row can hold 40 KB of metadata, and what is said to be large is weighed besides. */
const CACHED = { environments: 1_024, sessions: 4_096, works: 4_096, tokens: 256, agents: 256 } as const;

const DATABASE_AWAY: ReadonlySet<number> = new Set([SQLITE.busy, SQLITE.readonly, SQLITE.ioError, SQLITE.full]);

/** The write side of the SQLite adapter: one batch, one durable commit, all of it on the event loop. */
export class SqliteBackend implements Backend {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly environments: TableAccess<EnvironmentRecord>;
  readonly sessions: TableAccess<SessionRecord>;
  readonly works: TableAccess<WorkRecord>;
  readonly tokens: TableAccess<TokenRecord>;
  readonly agents: TableAccess<AgentRecord>;
  readonly workCounts: WorkCounts;
  readonly #insertVersion: Statement;
  readonly #version: Statement;
  readonly #insertEvent: Statement;
  readonly #markProcessed: Statement;
  readonly #ready: LimitedQuery;
  readonly #delivered: LimitedQuery;
  readonly #delayed: LimitedQuery;
  readonly #due: Statement;
  readonly #hasSession: Statement;
  readonly #toolResult: Statement;
  readonly #totalChanges: Statement;
  readonly #begin: Statement;
  readonly #commit: Statement;
  /** The last write failed because the database could not be used. */
  #unwritable = false;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.environments = new TableAccess(database, ENVIRONMENT, CACHED.environments, ({ config }) => config);
    this.sessions = new TableAccess(database, SESSION, CACHED.sessions, ({ agent }) => agent);
    this.works = new TableAccess(database, WORK, CACHED.works);
    this.tokens = new TableAccess(database, TOKEN, CACHED.tokens);
    this.agents = new TableAccess(database, AGENT, CACHED.agents, ({ fields }) => fields);
    const counts = database.prepare("SELECT state, count(*) AS count FROM work GROUP BY state");
    this.workCounts = new WorkCounts(() => counts.all() as unknown as StateCount[]);
    this.#insertVersion = database.prepare(`${insertInto(AGENT_VERSION)} ON CONFLICT DO NOTHING`);
    this.#version = database.prepare("SELECT * FROM agent_version WHERE id = ? AND version = ?");
    this.#insertEvent = database.prepare(insertInto(EVENT));
    this.#markProcessed = database.prepare(
      `UPDATE event SET processed_at = ? WHERE session_id = ? AND id > ? AND id <= ?
       AND processed_at IS NULL AND (${INPUT_EVENT_TYPES.map((type) => `type = '${type}'`).join(" OR ")})`,
    );
    this.#ready = new LimitedQuery(database, QUEUE_SQL.ready);
    this.#delivered = new LimitedQuery(database, QUEUE_SQL.delivered);
    this.#delayed = new LimitedQuery(database, QUEUE_SQL.delayed);
    this.#due = database.prepare(QUEUE_SQL.due);
    this.#hasSession = database.prepare(QUEUE_SQL.hasSession);
    this.#toolResult = database.prepare(QUEUE_SQL.toolResult);
    this.#totalChanges = database.prepare("SELECT total_changes() AS n");
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
  }

  transact(needs: Needs, decide: (loaded: Loaded) => Changes): undefined {
    try {
      // Reading outside of the transaction is safe: nobody else can write between here and the commit.
      const changes = decide(this.#loaded(needs));
      if (isEmpty(changes)) return;
      this.#begin.run();
      this.#write(changes);
      this.#commit.run();
      this.#unwritable = false;
      this.#remember(changes);
    } catch (error) {
      this.#rollBack();
      const reported = unavailable(error);
      if (reported instanceof StoreUnavailable) this.#unwritable = true;
      throw reported;
    }
  }

  /**
   * Once a write has failed, shows whether one would succeed now: a disk that is full can still be read.
   *
   * @throws whatever the driver throws when not
   */
  probeWrite(): void {
    if (!this.#unwritable) return;
    const version = Number(this.#database.prepare("PRAGMA user_version").get()?.user_version);
    this.#database.exec(`PRAGMA user_version = ${version}`);
    this.#unwritable = false;
  }

  #loaded(needs: Needs): Loaded {
    const now = this.#clock.now();
    const loaded: Loaded = {
      now,
      environment: (id) => this.environments.get(id),
      session: (id) => this.sessions.get(id),
      work: (id) => this.works.get(id),
      token: (id) => this.tokens.get(id),
      agent: (id) => this.agents.get(id),
      agentVersion: (agentId, version) => {
        const row = this.#version.get(agentId, version) as Row | undefined;
        return row && AGENT_VERSION.record(row);
      },
      claimable: (environmentId) => this.#claimable(environmentId, needs, loaded),
      due: () => this.#byIds(this.#due.all(now, needs.sweepLimit) as Row[]),
      hasSessions: (environmentId) => this.#hasSession.get(environmentId) !== undefined,
      hasToolResult: (sessionId, toolUseId) => this.#toolResult.get(sessionId, toolUseId) !== undefined,
    };
    return loaded;
  }

  /** What the batch's claims on this environment may take: for each of their windows, as many rows as they could need. */
  #claimable(environmentId: string, needs: Needs, loaded: Loaded): WorkRecord[] {
    const limit = claimRows(needs, environmentId, loaded);
    const found = new Map<string, WorkRecord>();
    const add = (rows: readonly unknown[]): void => {
      for (const work of this.#byIds(rows as Row[])) found.set(work.id, work);
    };
    const windows = new Set<number>();
    for (const claim of needs.claims) if (claim.environmentId === environmentId) windows.add(claim.windowMicros);
    add(this.#ready.first(limit, environmentId));
    const ready = found.size;
    for (const window of windows) add(this.#delivered.first(limit, environmentId, loaded.now - window));
    add(this.#delayed.first(limit, environmentId, loaded.now));
    const rows = [...found.values()];
    return found.size === ready ? rows : rows.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #byIds(rows: readonly Row[]): WorkRecord[] {
    return rows.map((row) => this.works.get(row.id as string) as WorkRecord);
  }

  #write(changes: Changes): void {
    const before = this.#changedRows();
    const rows =
      write(this.environments, changes.environments, changes.created) +
      write(this.sessions, changes.sessions, changes.created) +
      write(this.works, changes.works, changes.created) +
      write(this.tokens, changes.tokens, changes.created) +
      write(this.agents, changes.agents, changes.created);
    const missing = before + rows - this.#changedRows();
    if (missing !== 0) throw new Error(`${missing} of ${rows} rows that were to be written are gone`);
    for (const version of changes.agentVersions) this.#insertVersion.get(...AGENT_VERSION.values(version));
    for (const event of changes.events) this.#insertEvent.get(...EVENT.values(event));
    for (const mark of changes.marks) {
      this.#markProcessed.get(mark.at, mark.sessionId, mark.after ?? "", mark.through);
    }
  }

  /** Rows written since the database was opened. */
  #changedRows(): number {
    return Number((this.#totalChanges.get() as Row).n);
  }

  #remember(changes: Changes): void {
    for (const environment of changes.environments.values()) this.environments.cache.put(environment);
    for (const session of changes.sessions.values()) this.sessions.cache.put(session);
    for (const work of changes.works.values()) {
      this.workCounts.moved(this.works.cache.get(work.id)?.state, work.state);
      this.works.cache.put(work);
    }
    for (const token of changes.tokens.values()) this.tokens.cache.put(token);
    for (const agent of changes.agents.values()) this.agents.cache.put(agent);
  }

  #rollBack(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
    } catch {
      // SQLite has rolled back by itself (full disk, IO error); the error that the caller gets is the first one.
    }
    this.forget();
  }

  /** Drops what is kept in memory: the next read comes from the file. */
  forget(): void {
    this.workCounts.forget();
    for (const table of [this.environments, this.sessions, this.works, this.tokens, this.agents]) table.cache.clear();
  }
}

/** Returns how many rows it wrote. */
function write<Record extends { readonly id: string }>(
  table: TableAccess<Record>,
  records: ReadonlyMap<string, Record>,
  created: ReadonlySet<string>,
): number {
  let rows = 0;
  for (const record of records.values()) {
    if (created.has(record.id)) {
      table.insert(record);
      rows += 1;
    } else if (table.update(record)) rows += 1;
  }
  return rows;
}

function isEmpty(changes: Changes): boolean {
  return (
    changes.works.size === 0 &&
    changes.sessions.size === 0 &&
    changes.events.length === 0 &&
    changes.environments.size === 0 &&
    changes.tokens.size === 0 &&
    changes.agents.size === 0 &&
    changes.marks.length === 0
  );
}

/** Tells "the database cannot be used now" from a defect of ours. */
export function unavailable(error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === undefined || !DATABASE_AWAY.has(code)) return error;
  const reason = code === SQLITE.full ? "no space is left on its disk" : "its file cannot be read or written";
  return new StoreUnavailable(`The database cannot be used: ${reason}.`, { cause: error });
}
