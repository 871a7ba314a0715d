import { randomBytes } from "node:crypto";
import type { CommandInput, CommandName, CommandOutcome } from "../../core/commands/index.ts";
import type { PollInput } from "../../core/commands/work.ts";
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
import type { Changes } from "../../core/unit.ts";
import { Batcher } from "../batcher.ts";
import { randomHex } from "../random.ts";
import {
  type CommitSignals,
  type EventFilter,
  NO_SIGNALS,
  type QueueOutlook,
  type QueueStats,
  type SessionFilter,
  type StateCount,
  type Store,
  StoreUnavailable,
  type StoreVersion,
} from "../store.ts";
import { PostgresBackend } from "./backend.ts";
import { ClaimFloors, firstKeys } from "./claim-floors.ts";
import { type ConnectionOptions, Connections } from "./connection.ts";
import { Costly } from "./costly.ts";
import { FloorChecks } from "./floor-checks.ts";
import { Hints } from "./hints.ts";
import { Housekeeping } from "./housekeeping.ts";
import { PostgresLists, type Query } from "./lists.ts";
import { Loader } from "./loader.ts";
import { LookAgain } from "./look-again.ts";
import { prepareSchema } from "./open.ts";
import { DEFAULT_SCHEMA, limitsOf, type PostgresStoreOptions } from "./options.ts";
import { PollerNotes } from "./pollers.ts";
import { readSql } from "./read-sql.ts";
import { Reading } from "./reading.ts";
import { PostgresReads } from "./reads.ts";
import { quoted, SchemaGuard } from "./schema.ts";
import { tablesIn } from "./tables.ts";
import { Writer } from "./writer.ts";

/** How often a poll looks that finds only items which others are deciding on at that moment. */
const MAX_LOOKS = 3;
/** A database that answers more slowly than this is not ready. */
const READY_MS = 2_000;
const SECRET_BYTES = 32;

/**
 * Opens the store that many servers share, and brings its schema up to date.
 *
 * @throws StoreRefused when the database cannot be reached or used, or a newer program has migrated it
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const connection = { url: options.url, prepare: options.prepare ?? true, limits: limitsOf(options) };
  await prepareSchema(connection, options.schema ?? DEFAULT_SCHEMA);
  const store = new PostgresStore(options, connection);
  try {
    await store.start();
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

class PostgresStore implements Store {
  readonly kind = "postgres";
  readonly #writing: Connections;
  readonly #reading: Reading;
  readonly #query: Query;
  readonly #backend: PostgresBackend;
  readonly #ids = new IdSource(randomHex());
  readonly #batcher: Batcher;
  readonly #reads: PostgresReads;
  readonly #lists: PostgresLists;
  readonly #workCounts: Costly<readonly StateCount[]>;
  readonly #housekeeping: Housekeeping;
  readonly #pollers: PollerNotes;
  readonly #guard: SchemaGuard;
  readonly #hints: Hints;
  readonly #looks: LookAgain;
  readonly #listeners = new Set<(signals: CommitSignals) => void>();
  #open = true;

  constructor(options: PostgresStoreOptions, connection: ConnectionOptions) {
    const { clock, schema = DEFAULT_SCHEMA } = options;
    const { limits } = connection;
    this.#writing = new Connections(connection, limits.maxBatches);
    this.#reading = new Reading(connection);
    const namespace = quoted(schema);
    const tables = tablesIn(namespace);
    const fixedNow = (): Micros | null => clock?.now() ?? null;
    const unguarded: Query = (text, values) => this.#reading.query(text, values);
    this.#guard = new SchemaGuard((text, values = []) => unguarded(text, values), schema);
    // A newer program's tables may be misread as well as miswritten.
    this.#query = async (text, values) => {
      this.#guard.check();
      return unguarded(text, values);
    };
    const floors = new ClaimFloors();
    this.#pollers = new PollerNotes(namespace, clock);
    this.#backend = new PostgresBackend({
      connections: this.#writing,
      loader: new Loader(this.#writing, tables, readSql(namespace, tables), floors, clock),
      writer: new Writer(tables, namespace),
      pollers: this.#pollers,
      floors,
      limits,
    });
    this.#reads = new PostgresReads(this.#query, namespace, tables, fixedNow, limits.maxWaitingReads);
    this.#workCounts = new Costly(() => this.#reads.countWork(), clock === undefined);
    this.#lists = new PostgresLists(this.#query, namespace, tables);
    this.#housekeeping = new Housekeeping(this.#query, namespace, fixedNow);
    const look = (environmentId: string) => this.#emit({ ...NO_SIGNALS, queued: new Map([[environmentId, 1]]) });
    this.#looks = new LookAgain(look);
    const checks = new FloorChecks(floors, (environmentId) => this.#reads.heads(environmentId), look);
    const committed = (signals: CommitSignals, changes: Changes) => this.#committed(signals, changes);
    this.#batcher = new Batcher(this.#backend, this.#ids, committed, limits.maxBatches);
    const listenUrl = options.listenUrl === false ? undefined : (options.listenUrl ?? options.url);
    this.#hints = new Hints(
      { listenUrl, schema, limits, run: (statement, values) => this.#reading.run(statement, values) },
      {
        emit: (signals) => this.#emit(signals),
        arrived: (first) => {
          for (const [environmentId, key] of first) floors.arrived(environmentId, key);
        },
        unsure: () => checks.run(),
      },
    );
  }

  async start(): Promise<void> {
    for (const id of await this.#reads.newestIds()) this.#ids.raiseAbove(id);
    this.#guard.start();
    await this.#hints.start();
  }

  async execute<K extends CommandName>(name: K, input: CommandInput<K>): Promise<CommandOutcome<K>> {
    this.#guard.check();
    if (name !== "poll") return this.#batcher.execute(name, input);
    return (await this.#poll(input as PollInput)) as CommandOutcome<K>;
  }

  async #poll(input: PollInput): Promise<CommandOutcome<"poll">> {
    const { environmentId } = input;
    for (let look = 1; ; look++) {
      const outcome = await this.#batcher.execute("poll", input);
      const found = outcome.refused !== undefined || outcome.value !== null;
      if (found || !this.#backend.leftBehindIn.has(environmentId)) {
        this.#looks.settled(environmentId);
        return outcome;
      }
      if (look < MAX_LOOKS) continue;
      this.#looks.soon(environmentId);
      return outcome;
    }
  }

  now(): Promise<Micros> {
    return this.#reads.now();
  }

  getEnvironment(id: string): Promise<EnvironmentRecord | undefined> {
    return this.#reads.environment(id);
  }

  listEnvironments(page: PageRequest, filter: { includeArchived: boolean }): Promise<Page<EnvironmentRecord>> {
    return this.#lists.environments(page, filter);
  }

  getSession(id: string): Promise<SessionRecord | undefined> {
    return this.#reads.session(id);
  }

  listSessions(page: PageRequest, filter: SessionFilter): Promise<Page<SessionRecord>> {
    return this.#lists.sessions(page, filter);
  }

  listEvents(sessionId: string, page: PageRequest, filter: EventFilter): Promise<Page<EventRecord>> {
    return this.#lists.events(sessionId, page, filter);
  }

  getWork(id: string): Promise<WorkRecord | undefined> {
    return this.#reads.work(id);
  }

  listWork(
    environmentId: string,
    page: PageRequest,
    filter: { state?: WorkState | undefined },
  ): Promise<Page<WorkRecord>> {
    return this.#lists.works(environmentId, page, filter);
  }

  queueStats(environmentId: string): Promise<QueueStats> {
    return this.#reads.stats(environmentId);
  }

  queueOutlook(environmentId: string): Promise<QueueOutlook> {
    return this.#reads.outlook(environmentId);
  }

  getAgent(id: string): Promise<AgentRecord | undefined> {
    return this.#reads.agent(id);
  }

  listAgents(page: PageRequest, filter: { includeArchived: boolean }): Promise<Page<AgentRecord>> {
    return this.#lists.agents(page, filter);
  }

  listAgentVersions(agentId: string, before: number | null, limit: number): Promise<readonly AgentVersionRecord[]> {
    return this.#reads.agentVersions(agentId, before, limit);
  }

  secret(name: string): Promise<string> {
    return this.#reads.secret(name, randomBytes(SECRET_BYTES).toString("hex"));
  }

  findToken(hash: string): Promise<TokenRecord | undefined> {
    return this.#reads.tokenByHash(hash);
  }

  listTokens(page: PageRequest): Promise<Page<TokenRecord>> {
    return this.#lists.tokens(page);
  }

  hasAdminToken(): Promise<boolean> {
    return this.#reads.hasAdminToken();
  }

  purge(limit: number): Promise<number> {
    return this.#housekeeping.purge(limit);
  }

  retire(limit: number, olderThanMs: number): Promise<number> {
    return this.#housekeeping.retire(limit, olderThanMs);
  }

  countWork(): Promise<readonly StateCount[]> {
    return this.#workCounts.get();
  }

  notePoll(environmentId: string, workerId: string): void {
    this.#pollers.note(environmentId, workerId);
  }

  async countPollers(environmentId: string, withinMs: number): Promise<number> {
    const [row] = await this.#query(this.#pollers.countSql, this.#pollers.countValues(environmentId, withinMs));
    return row?.n as number;
  }

  onCommit(listener: (signals: CommitSignals) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async ready(): Promise<StoreVersion> {
    const late = new Promise<never>((_resolve, reject) => {
      const silent = () => reject(new StoreUnavailable(`The database has not answered within ${READY_MS} ms.`));
      setTimeout(silent, READY_MS).unref();
    });
    return { kind: this.kind, schema: await Promise.race([this.#guard.refresh(), late]) };
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    const finished = this.#batcher.close();
    this.#open = false;
    this.#reading.shut();
    await finished;
    this.#looks.close();
    this.#guard.stop();
    await this.#hints.close();
    await Promise.all([this.#writing.close(), this.#reading.close()]);
  }

  #committed(signals: CommitSignals, { works }: Changes): void {
    this.#emit(signals);
    this.#hints.send(signals, firstKeys(works.values()));
  }

  #emit(signals: CommitSignals): void {
    for (const listener of this.#listeners) listener(signals);
  }
}
