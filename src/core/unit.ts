import type { IdKind } from "./ids.ts";
import { isClaimable } from "./lease.ts";
import type {
  AgentRecord,
  AgentVersionRecord,
  EnvironmentRecord,
  EventRecord,
  SessionRecord,
  TokenRecord,
  WorkRecord,
} from "./records.ts";
import type { Micros } from "./time.ts";

/** How many items of an environment a batch may hand out, and under which windows. */
export interface ClaimNeed {
  readonly environmentId: string;
  readonly windowMicros: number;
}

/** What a command has to see before it can be decided. A store loads the union of a batch's needs in a few statements. */
export interface Needs {
  readonly environments: Set<string>;
  /** Sessions by id; their live items and environments come along. */
  readonly sessions: Set<string>;
  /** Items by id; their sessions and environments come along. */
  readonly works: Set<string>;
  /**
   * Those of the items whose session the command changes, as a rule: a store that many servers share locks both at once.
   * For every other change it finds out afterwards what else it has to lock, and decides the batch again.
   */
  readonly turns: Set<string>;
  /** Environments that get a session, and must not be deleted before the commit. */
  readonly joined: Set<string>;
  readonly tokens: Set<string>;
  readonly agents: Set<string>;
  /** Versions of agents that are not the newest. */
  readonly agentVersions: { readonly agentId: string; readonly version: number }[];
  /** One entry per claiming call. */
  readonly claims: ClaimNeed[];
  /** Items whose `sweepAt` has come: at most this many, the earliest first. */
  sweepLimit: number;
  /** Environments of which has to be known whether a session refers to them. */
  readonly sessionCounts: Set<string>;
  /** User tool results that may have been answered already: session id and `tool_use_id`. */
  readonly toolResults: { readonly sessionId: string; readonly toolUseId: string }[];
}

export function noNeeds(): Needs {
  return {
    environments: new Set(),
    sessions: new Set(),
    works: new Set(),
    turns: new Set(),
    joined: new Set(),
    tokens: new Set(),
    agents: new Set(),
    agentVersions: [],
    claims: [],
    sweepLimit: 0,
    sessionCounts: new Set(),
    toolResults: [],
  };
}

/** Rows as the store holds them (locked, where replicas share it), and the instant that all decisions of the batch use. */
export interface Loaded {
  readonly now: Micros;
  environment(id: string): EnvironmentRecord | undefined;
  session(id: string): SessionRecord | undefined;
  work(id: string): WorkRecord | undefined;
  token(id: string): TokenRecord | undefined;
  agent(id: string): AgentRecord | undefined;
  agentVersion(agentId: string, version: number): AgentVersionRecord | undefined;
  /**
   * Items that the claims of the batch may take, ascending by id: for the window of each claim at least the first
   * {@link claimRows} that are claimable under it.
   */
  claimable(environmentId: string): readonly WorkRecord[];
  /** Whether items may be claimable besides those, which other servers hold. Left out: no. */
  leftBehind?(environmentId: string): boolean;
  /** Items that a sweeper has to look at. */
  due(): readonly WorkRecord[];
  hasSessions(environmentId: string): boolean;
  /** Whether this tool use has a `user.tool_result` already. */
  hasToolResult(sessionId: string, toolUseId: string): boolean;
}

/**
 * How many claimable items of an environment a batch has to see: one for each claim, one that tells whether more are
 * left, and one for each that another call of the batch may take out of the queue before a claim comes to it.
 */
export function claimRows(
  needs: Needs,
  environmentId: string,
  loaded: Pick<Loaded, "now" | "work" | "session">,
): number {
  const claims = needs.claims.filter((claim) => claim.environmentId === environmentId);
  const shortest = Math.min(...claims.map((claim) => claim.windowMicros));
  const touched = new Set(needs.works);
  for (const id of needs.sessions) touched.add(loaded.session(id)?.liveWorkId ?? "");
  let rows = claims.length + 1;
  for (const id of touched) {
    const item = loaded.work(id);
    if (item?.environmentId === environmentId && isClaimable(item, loaded.now, shortest)) rows += 1;
  }
  return rows;
}

/** Input of a session up to `through` was dealt with at `at`. */
export interface ProcessedMark {
  readonly sessionId: string;
  readonly after: string | null;
  readonly through: string;
  readonly at: Micros;
}

/** Makes an id that is greater than all before it, and than `above`, which another server may have made. */
export type NextId = (kind: IdKind, now: Micros, above: string | null) => string;

export interface Changes {
  readonly environments: ReadonlyMap<string, EnvironmentRecord>;
  readonly sessions: ReadonlyMap<string, SessionRecord>;
  readonly works: ReadonlyMap<string, WorkRecord>;
  readonly tokens: ReadonlyMap<string, TokenRecord>;
  /** Each as its newest state. */
  readonly agents: ReadonlyMap<string, AgentRecord>;
  /** Every version that was made, also where a batch made several of one agent. */
  readonly agentVersions: readonly AgentVersionRecord[];
  readonly events: readonly EventRecord[];
  readonly marks: readonly ProcessedMark[];
  /** Rows that the store does not hold yet. */
  readonly created: ReadonlySet<string>;
}

/**
 * The working set of one batch: commands are applied to it one after the other, each seeing what those before it did,
 * and the store writes the result in one commit. A command checks everything before it puts anything, so that a refused
 * one leaves no trace.
 */
export class Unit {
  readonly now: Micros;
  readonly #loaded: Loaded;
  readonly #nextId: NextId;
  readonly #environments = new Map<string, EnvironmentRecord>();
  readonly #sessions = new Map<string, SessionRecord>();
  readonly #works = new Map<string, WorkRecord>();
  readonly #tokens = new Map<string, TokenRecord>();
  readonly #agents = new Map<string, AgentRecord>();
  readonly #agentVersions: AgentVersionRecord[] = [];
  readonly #events: EventRecord[] = [];
  readonly #marks: ProcessedMark[] = [];
  readonly #created = new Set<string>();
  readonly #queues = new Map<string, WorkRecord[]>();
  readonly #toolResults = new Set<string>();

  constructor(loaded: Loaded, nextId: NextId) {
    this.now = loaded.now;
    this.#loaded = loaded;
    this.#nextId = nextId;
  }

  newId(kind: IdKind, above: string | null = null): string {
    return this.#nextId(kind, this.now, above);
  }

  environment(id: string): EnvironmentRecord | undefined {
    return this.#environments.get(id) ?? this.#loaded.environment(id);
  }

  session(id: string): SessionRecord | undefined {
    return this.#sessions.get(id) ?? this.#loaded.session(id);
  }

  work(id: string): WorkRecord | undefined {
    return this.#works.get(id) ?? this.#loaded.work(id);
  }

  token(id: string): TokenRecord | undefined {
    return this.#tokens.get(id) ?? this.#loaded.token(id);
  }

  agent(id: string): AgentRecord | undefined {
    return this.#agents.get(id) ?? this.#loaded.agent(id);
  }

  agentVersion(agentId: string, version: number): AgentVersionRecord | undefined {
    const current = this.agent(agentId);
    if (current?.version === version) return current;
    const made = this.#agentVersions.find((one) => one.id === agentId && one.version === version);
    return made ?? this.#loaded.agentVersion(agentId, version);
  }

  hasSessions(environmentId: string): boolean {
    for (const session of this.#sessions.values()) {
      if (session.environmentId === environmentId && session.deletedAt === null) return true;
    }
    return this.#loaded.hasSessions(environmentId);
  }

  hasToolResult(sessionId: string, toolUseId: string): boolean {
    return this.#toolResults.has(`${sessionId} ${toolUseId}`) || this.#loaded.hasToolResult(sessionId, toolUseId);
  }

  due(): readonly WorkRecord[] {
    return this.#loaded.due();
  }

  /** The oldest item that a poll with this window may take now, and whether another one is left behind it. */
  oldestClaimable(environmentId: string, windowMicros: number): { item: WorkRecord; more: boolean } | undefined {
    const queue = this.#queue(environmentId);
    let found: WorkRecord | undefined;
    for (const candidate of queue) {
      const item = this.work(candidate.id) ?? candidate;
      if (!isClaimable(item, this.now, windowMicros)) continue;
      if (found !== undefined) return { item: found, more: true };
      found = item;
    }
    return found && { item: found, more: this.#loaded.leftBehind?.(environmentId) ?? false };
  }

  putEnvironment(record: EnvironmentRecord, isNew = false): void {
    this.#environments.set(record.id, record);
    if (isNew) this.#created.add(record.id);
  }

  putSession(record: SessionRecord, isNew = false): void {
    this.#sessions.set(record.id, record);
    if (isNew) this.#created.add(record.id);
  }

  putWork(record: WorkRecord, isNew = false): void {
    this.#works.set(record.id, record);
    if (isNew) this.#created.add(record.id);
    const queue = this.#queues.get(record.environmentId);
    if (queue !== undefined) place(queue, record, this.now);
  }

  putToken(record: TokenRecord, isNew = false): void {
    this.#tokens.set(record.id, record);
    if (isNew) this.#created.add(record.id);
  }

  putAgent(record: AgentRecord, isNew = false): void {
    if (this.agent(record.id)?.version !== record.version) this.#agentVersions.push(record);
    this.#agents.set(record.id, record);
    if (isNew) this.#created.add(record.id);
  }

  addEvent(event: EventRecord): void {
    this.#events.push(event);
    if (event.type === "user.tool_result") this.#toolResults.add(`${event.sessionId} ${event.payload.tool_use_id}`);
  }

  markProcessed(mark: ProcessedMark): void {
    this.#marks.push(mark);
  }

  changes(): Changes {
    return {
      environments: this.#environments,
      sessions: this.#sessions,
      works: this.#works,
      tokens: this.#tokens,
      agents: this.#agents,
      agentVersions: this.#agentVersions,
      events: this.#events,
      marks: this.#marks,
      created: this.#created,
    };
  }

  #queue(environmentId: string): WorkRecord[] {
    const known = this.#queues.get(environmentId);
    if (known !== undefined) return known;
    const queue = [...this.#loaded.claimable(environmentId)];
    for (const work of this.#works.values()) if (work.environmentId === environmentId) place(queue, work, this.now);
    this.#queues.set(environmentId, queue);
    return queue;
  }
}

/** Keeps a list of queued items ascending by id. One instant delivers an item at most once, whatever the window. */
function place(queue: WorkRecord[], item: WorkRecord, now: Micros): void {
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((queue[middle] as WorkRecord).id < item.id) low = middle + 1;
    else high = middle;
  }
  const known = queue[low]?.id === item.id;
  const waiting = item.state === "queued" && item.deliveredAt !== now;
  if (known && waiting) queue[low] = item;
  else if (known) queue.splice(low, 1);
  else if (waiting) queue.splice(low, 0, item);
}
