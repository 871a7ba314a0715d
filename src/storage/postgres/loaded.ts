import type {
  AgentRecord,
  AgentVersionRecord,
  EnvironmentRecord,
  SessionRecord,
  TokenRecord,
  WorkRecord,
} from "../../core/records.ts";
import type { Micros } from "../../core/time.ts";
import type { Loaded } from "../../core/unit.ts";
import type { Row } from "../rows/index.ts";
import type { Heads } from "./claim-floors.ts";
import { Rows } from "./rows.ts";
import type { PgTables } from "./tables.ts";

/** What one batch has read of the database, most of it locked until its transaction ends. */
export class LoadedRows implements Loaded {
  now = 0;
  readonly environments: Rows<EnvironmentRecord>;
  readonly sessions: Rows<SessionRecord>;
  readonly works: Rows<WorkRecord>;
  readonly tokens: Rows<TokenRecord>;
  readonly agents: Rows<AgentRecord>;
  readonly agentVersions = new Map<string, AgentVersionRecord>();
  /** Ids of items that this batch may hand out, by environment. */
  readonly claims = new Map<string, Set<string>>();
  readonly leftBehindIn = new Set<string>();
  /** What the claims saw first, by environment, and the moment of `ClaimFloors` at which they looked. */
  readonly heads = new Map<string, Heads>();
  moment = 0;
  /** The first lease that a sweep saw, over or not. */
  firstDue: { readonly at: Micros | null } | undefined;
  readonly retired = new Set<string>();
  readonly environmentsWithSessions = new Set<string>();
  readonly toolResults = new Set<string>();
  dueIds: readonly string[] = [];

  readonly #askedFor: ReadonlySet<string>;

  /** @param askedFor items that the batch has locked by id */
  constructor(tables: PgTables, askedFor: ReadonlySet<string>) {
    this.#askedFor = askedFor;
    this.environments = new Rows(tables.environment.table);
    this.sessions = new Rows(tables.session.table);
    this.works = new Rows(tables.work.table);
    this.tokens = new Rows(tables.token.table);
    this.agents = new Rows(tables.agent.table);
  }

  environment(id: string): EnvironmentRecord | undefined {
    return this.environments.get(id);
  }

  session(id: string): SessionRecord | undefined {
    return this.sessions.get(id);
  }

  work(id: string): WorkRecord | undefined {
    return this.works.get(id);
  }

  token(id: string): TokenRecord | undefined {
    return this.tokens.get(id);
  }

  agent(id: string): AgentRecord | undefined {
    return this.agents.get(id);
  }

  agentVersion(agentId: string, version: number): AgentVersionRecord | undefined {
    return this.agentVersions.get(`${agentId} ${version}`);
  }

  addClaims(rows: readonly Row[]): void {
    this.works.add(rows, true);
    for (const row of rows) {
      const environmentId = row.environment_id as string;
      const ids = this.claims.get(environmentId);
      if (ids === undefined) this.claims.set(environmentId, new Set([row.id as string]));
      else ids.add(row.id as string);
    }
  }

  /** Also what other calls of the batch asked for by id: they may leave it in the queue, or put it there. */
  claimable(environmentId: string): readonly WorkRecord[] {
    const items = [...(this.claims.get(environmentId) ?? [])].map((id) => this.works.get(id) as WorkRecord);
    for (const id of this.#askedFor) {
      const item = this.works.get(id);
      if (item?.environmentId === environmentId && item.state === "queued") items.push(item);
    }
    return items.sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  leftBehind(environmentId: string): boolean {
    return this.leftBehindIn.has(environmentId);
  }

  due(): readonly WorkRecord[] {
    return this.dueIds.map((id) => this.works.get(id) as WorkRecord);
  }

  hasSessions(environmentId: string): boolean {
    return this.environmentsWithSessions.has(environmentId);
  }

  hasToolResult(sessionId: string, toolUseId: string): boolean {
    return this.toolResults.has(`${sessionId} ${toolUseId}`);
  }
}
