import type { CommandInput, CommandName, CommandOutcome } from "../core/commands/index.ts";
import type { Page, PageRequest } from "../core/page.ts";
import type {
  AgentRecord,
  AgentVersionRecord,
  EnvironmentRecord,
  EventRecord,
  SessionRecord,
  SessionStatus,
  TokenRecord,
  WorkRecord,
} from "../core/records.ts";
import type { Micros } from "../core/time.ts";
import type { WorkState } from "../core/transitions.ts";

/** What waits in an environment's queue, counted on one snapshot. */
export interface QueueStats {
  /** Queued items that can be claimed now. */
  readonly depth: number;
  /** Delivered less than `DEFAULT_RECLAIM_MS` ago and not acknowledged. */
  readonly pending: number;
  /** Creation of the oldest queued item, delivered or not. */
  readonly oldestQueuedAt: Micros | null;
}

/** When a queue that has nothing to claim now may have something. */
export interface QueueOutlook {
  readonly now: Micros;
  /** The earliest delivery that nobody has acknowledged. */
  readonly oldestDeliveredAt: Micros | null;
  /** The earliest end of a release's delay. */
  readonly nextAvailableAt: Micros | null;
}

/** What a commit means to those who wait. A hint: it may be lost or doubled, and nobody may rely on it alone. */
export interface CommitSignals {
  /** Environment id → how many items became claimable at once. */
  readonly queued: ReadonlyMap<string, number>;
  /** Environments in which an item was delivered: unacknowledged, it becomes claimable again after a window. */
  readonly delivered: ReadonlySet<string>;
  /** Environments in which an item was released with a delay. */
  readonly delayed: ReadonlySet<string>;
  /** Sessions that got events, or were deleted, or one of whose hand-outs ended. */
  readonly sessions: ReadonlySet<string>;
  /**
   * Everybody who waits should look once for itself: signals were `lost` (or nobody listens for them), or it is `routine`,
   * because the sender of one may have died over it.
   */
  readonly resync?: "lost" | "routine";
}

export const NO_SIGNALS: CommitSignals = {
  queued: new Map(),
  delivered: new Set(),
  delayed: new Set(),
  sessions: new Set(),
};

/** Work and sessions by state, for metrics. */
export interface StateCount {
  readonly state: string;
  readonly count: number;
}

/**
 * The port to a database. Every adapter keeps these promises, and the conformance suite holds each of them to all:
 *
 * - `execute` answers after the commit that holds the command's effect is durable, never before. Calls that arrive while
 *   a commit is under way share the next one; a refused or failed call never fails its neighbours.
 * - Commands take effect one after the other; each sees the whole effect of those before it.
 * - Reads see every command that was answered before the read began.
 * - The store's clock is the only clock that judges leases, windows and expiry.
 * - While the database cannot be used, calls are rejected with {@link StoreUnavailable}, and a command so rejected either
 *   took effect as a whole or not at all. Where nobody can know which, the error says `mayHaveHappened`.
 *
 * No adapter holds a rule that a caller could observe: those are in `core`.
 */
export interface Store {
  readonly kind: "sqlite" | "postgres";

  execute<K extends CommandName>(name: K, input: CommandInput<K>): Promise<CommandOutcome<K>>;

  /** The store's clock. */
  now(): Promise<Micros>;
  getEnvironment(id: string): Promise<EnvironmentRecord | undefined>;
  /** A page of any list ends early, with `hasMore`, once its rows hold more than `PAGE_BYTES` of JSON and another one follows. */
  listEnvironments(page: PageRequest, filter: { includeArchived: boolean }): Promise<Page<EnvironmentRecord>>;
  getSession(id: string): Promise<SessionRecord | undefined>;
  listSessions(page: PageRequest, filter: SessionFilter): Promise<Page<SessionRecord>>;
  listEvents(sessionId: string, page: PageRequest, filter: EventFilter): Promise<Page<EventRecord>>;
  getWork(id: string): Promise<WorkRecord | undefined>;
  listWork(
    environmentId: string,
    page: PageRequest,
    filter: { state?: WorkState | undefined },
  ): Promise<Page<WorkRecord>>;
  queueStats(environmentId: string): Promise<QueueStats>;
  queueOutlook(environmentId: string): Promise<QueueOutlook>;
  getAgent(id: string): Promise<AgentRecord | undefined>;
  listAgents(page: PageRequest, filter: { includeArchived: boolean }): Promise<Page<AgentRecord>>;
  /** Versions of an agent, the newest first; `before` leaves out that version and all newer ones. */
  listAgentVersions(agentId: string, before: number | null, limit: number): Promise<readonly AgentVersionRecord[]>;
  /** A random key of this installation, 64 hex digits, made when it is first asked for; every replica gets the same. */
  secret(name: string): Promise<string>;
  /** The token whose secret has this hash, whatever its state. */
  findToken(hash: string): Promise<TokenRecord | undefined>;
  listTokens(page: PageRequest): Promise<Page<TokenRecord>>;
  /** Whether any admin token could be used now. */
  hasAdminToken(): Promise<boolean>;
  /** Deletes rows of deleted sessions and environments, at most `limit`. Returns how many it deleted. */
  purge(limit: number): Promise<number>;
  /**
   * Moves items that stopped longer ago than this out of the way of the queue, at most `limit`. They can be read as
   * before. Returns how many it moved.
   */
  retire(limit: number, olderThanMs: number): Promise<number>;
  /** Work items by state, over all environments; where counting takes long, the answer may be some seconds old. */
  countWork(): Promise<readonly StateCount[]>;

  /** Notes that a worker polls, and counts who did within the last `withinMs`. */
  notePoll(environmentId: string, workerId: string): void;
  countPollers(environmentId: string, withinMs: number): Promise<number>;

  /** Called after each commit. Returns the way to stop that. */
  onCommit(listener: (signals: CommitSignals) => void): () => void;
  /** Resolves when the database answers and its schema is the one that this program needs. */
  ready(): Promise<StoreVersion>;
  /** Finishes what is under way, then closes. Calls after it are rejected with {@link StoreUnavailable}. */
  close(): Promise<void>;
}

export interface StoreVersion {
  readonly kind: "sqlite" | "postgres";
  readonly schema: number;
}

export interface SessionFilter {
  readonly includeArchived: boolean;
  readonly statuses?: readonly SessionStatus[] | undefined;
  readonly environmentId?: string | undefined;
  readonly agentId?: string | undefined;
}

export interface EventFilter {
  readonly types?: readonly string[] | undefined;
}

/** The database is away, full or closed. A repeat may succeed. */
export class StoreUnavailable extends Error {
  /** The commit was on its way when the database went: what was asked for is done as a whole, or not at all. */
  readonly mayHaveHappened: boolean;

  constructor(message: string, options: ErrorOptions & { readonly mayHaveHappened?: boolean } = {}) {
    super(message, options);
    this.name = "StoreUnavailable";
    this.mayHaveHappened = options.mayHaveHappened ?? false;
  }
}

/** The store cannot be opened as it is: a person has to do what the message says. */
export class StoreRefused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreRefused";
  }
}
