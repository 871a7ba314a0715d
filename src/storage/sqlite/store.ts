import { randomBytes } from "node:crypto";
import { type Clock, SteadyClock } from "../../core/clock.ts";
import type { CommandInput, CommandName, CommandOutcome } from "../../core/commands/index.ts";
import { IdSource } from "../../core/ids.ts";
import type { Page, PageRequest } from "../../core/page.ts";
import type {
  AgentRecord,
  AgentVersionRecord,
  EnvironmentRecord,
  EventRecord,
  SessionRecord,
  TokenRecord,
  WorkRecord,
} from "../../core/records.ts";
import type { Micros } from "../../core/time.ts";
import type { WorkState } from "../../core/transitions.ts";
import { Batcher } from "../batcher.ts";
import { PollerLog } from "../pollers.ts";
import { randomHex } from "../random.ts";
import {
  type CommitSignals,
  type EventFilter,
  type QueueOutlook,
  type QueueStats,
  type SessionFilter,
  type StateCount,
  type Store,
  StoreUnavailable,
  type StoreVersion,
} from "../store.ts";
import { SqliteBackend, unavailable } from "./backend.ts";
import { closeFile, type Database } from "./driver.ts";
import { openDatabase } from "./open.ts";
import { SqliteReads } from "./reads.ts";

const SECRET_BYTES = 32;

export interface SqliteStoreOptions {
  /** The folder of the database; made when it does not exist. */
  readonly dataDir: string;
  /** For tests. Default: the system's clocks, see {@link SteadyClock}. */
  readonly clock?: Clock;
}

/**
 * Opens the embedded store. One process at a time may have a data folder open.
 *
 * @throws StoreRefused when the folder cannot be used, is used by another process, or holds a newer schema
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { database, schema } = await openDatabase(options.dataDir);
  const clock = options.clock ?? systemClock();
  return new SqliteStore(database, schema, clock);
}

const systemClock = (): Clock =>
  new SteadyClock(
    () => Date.now() * 1_000,
    () => Math.floor(performance.now() * 1_000),
  );

class SqliteStore implements Store {
  readonly kind = "sqlite";
  readonly #database: Database;
  readonly #schema: number;
  readonly #clock: Clock;
  readonly #backend: SqliteBackend;
  readonly #batcher: Batcher;
  readonly #reads: SqliteReads;
  readonly #pollers: PollerLog;
  readonly #listeners = new Set<(signals: CommitSignals) => void>();
  #open = true;

  constructor(database: Database, schema: number, clock: Clock) {
    this.#database = database;
    this.#schema = schema;
    this.#clock = clock;
    this.#backend = new SqliteBackend(database, clock);
    this.#reads = new SqliteReads(database);
    this.#pollers = new PollerLog();
    const ids = new IdSource(randomHex());
    for (const id of this.#reads.newestIds()) ids.raiseAbove(id);
    this.#batcher = new Batcher(this.#backend, ids, (signals) => {
      for (const listener of this.#listeners) listener(signals);
    });
  }

  execute<K extends CommandName>(name: K, input: CommandInput<K>): Promise<CommandOutcome<K>> {
    return this.#batcher.execute(name, input);
  }

  now(): Promise<Micros> {
    return this.#read(() => this.#clock.now());
  }

  getEnvironment(id: string): Promise<EnvironmentRecord | undefined> {
    return this.#read(() => visible(this.#backend.environments.get(id)));
  }

  listEnvironments(page: PageRequest, filter: { includeArchived: boolean }): Promise<Page<EnvironmentRecord>> {
    return this.#read(() => this.#reads.environments(page, filter));
  }

  getSession(id: string): Promise<SessionRecord | undefined> {
    return this.#read(() => visible(this.#backend.sessions.get(id)));
  }

  listSessions(page: PageRequest, filter: SessionFilter): Promise<Page<SessionRecord>> {
    return this.#read(() => this.#reads.sessions(page, filter));
  }

  listEvents(sessionId: string, page: PageRequest, filter: EventFilter): Promise<Page<EventRecord>> {
    return this.#read(() => this.#reads.events(sessionId, page, filter));
  }

  getWork(id: string): Promise<WorkRecord | undefined> {
    return this.#read(() => this.#backend.works.get(id));
  }

  listWork(
    environmentId: string,
    page: PageRequest,
    filter: { state?: WorkState | undefined },
  ): Promise<Page<WorkRecord>> {
    return this.#read(() => this.#reads.works(environmentId, page, filter));
  }

  queueStats(environmentId: string): Promise<QueueStats> {
    return this.#read(() => this.#reads.stats(environmentId, this.#clock.now()));
  }

  queueOutlook(environmentId: string): Promise<QueueOutlook> {
    return this.#read(() => this.#reads.outlook(environmentId, this.#clock.now()));
  }

  getAgent(id: string): Promise<AgentRecord | undefined> {
    return this.#read(() => visible(this.#backend.agents.get(id)));
  }

  listAgents(page: PageRequest, filter: { includeArchived: boolean }): Promise<Page<AgentRecord>> {
    return this.#read(() => this.#reads.agents(page, filter));
  }

  listAgentVersions(agentId: string, before: number | null, limit: number): Promise<readonly AgentVersionRecord[]> {
    return this.#read(() => this.#reads.agentVersions(agentId, before, limit));
  }

  secret(name: string): Promise<string> {
    return this.#read(() => {
      const sql = "INSERT INTO secret (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING";
      this.#database.prepare(sql).run(name, randomBytes(SECRET_BYTES).toString("hex"));
      return this.#reads.secret(name) as string;
    });
  }

  findToken(hash: string): Promise<TokenRecord | undefined> {
    return this.#read(() => this.#reads.tokenByHash(hash));
  }

  listTokens(page: PageRequest): Promise<Page<TokenRecord>> {
    return this.#read(() => this.#reads.tokens(page));
  }

  hasAdminToken(): Promise<boolean> {
    return this.#read(() => this.#reads.hasAdminToken(this.#clock.now()));
  }

  purge(limit: number): Promise<number> {
    return this.#read(() => {
      const purged = this.#reads.purge(limit);
      if (purged > 0) this.#backend.forget();
      return purged;
    });
  }

  /** Nothing to do: no index of the queue holds a stopped item, and the rows around it are found by their key. */
  retire(): Promise<number> {
    return this.#read(() => 0);
  }

  countWork(): Promise<readonly StateCount[]> {
    return this.#read(() => this.#backend.workCounts.all());
  }

  notePoll(environmentId: string, workerId: string): void {
    this.#pollers.note(environmentId, workerId, this.#clock.now());
  }

  countPollers(environmentId: string, withinMs: number): Promise<number> {
    return this.#read(() => this.#pollers.count(environmentId, this.#clock.now() - withinMs * 1_000));
  }

  onCommit(listener: (signals: CommitSignals) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  ready(): Promise<StoreVersion> {
    return this.#read(() => {
      this.#reads.probe();
      this.#backend.probeWrite();
      return { kind: this.kind, schema: this.#schema };
    });
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    await this.#batcher.close();
    this.#open = false;
    closeFile(this.#database);
  }

  /** The one place where a synchronous read becomes the port's promise, and a driver's error one of ours. */
  async #read<T>(read: () => T): Promise<T> {
    if (!this.#open) throw new StoreUnavailable("The store is closed.");
    try {
      return read();
    } catch (error) {
      throw unavailable(error);
    }
  }
}

function visible<T extends { readonly deletedAt: Micros | null }>(record: T | undefined): T | undefined {
  return record?.deletedAt === null ? record : undefined;
}
