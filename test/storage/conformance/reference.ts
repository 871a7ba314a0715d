import { randomBytes } from "node:crypto";
import type { Clock } from "../../../src/core/clock.ts";
import { INPUT_EVENT_TYPES } from "../../../src/core/event-types.ts";
import { IdSource } from "../../../src/core/ids.ts";
import type {
  AgentRecord,
  AgentVersionRecord,
  EnvironmentRecord,
  EventRecord,
  SessionRecord,
  TokenRecord,
  WorkRecord,
} from "../../../src/core/records.ts";
import type { Changes, Loaded, Needs } from "../../../src/core/unit.ts";
import { type Backend, Batcher } from "../../../src/storage/batcher.ts";

/**
 * What a store has to be equal to: every row in memory, every question answered by looking at all of them. Too slow for
 * anything but being right.
 */
export class ReferenceStore implements Backend {
  readonly environments = new Map<string, EnvironmentRecord>();
  readonly sessions = new Map<string, SessionRecord>();
  readonly works = new Map<string, WorkRecord>();
  readonly tokens = new Map<string, TokenRecord>();
  readonly agents = new Map<string, AgentRecord>();
  readonly versions = new Map<string, AgentVersionRecord>();
  readonly events: EventRecord[] = [];
  readonly #clock: Clock;
  readonly #batcher: Batcher;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#batcher = new Batcher(this, new IdSource((bytes) => randomBytes(bytes).toString("hex")), () => undefined);
  }

  get execute(): Batcher["execute"] {
    return this.#batcher.execute.bind(this.#batcher);
  }

  async transact(_needs: Needs, decide: (loaded: Loaded) => Changes): Promise<void> {
    this.#keep(decide(this.#loaded()));
  }

  #loaded(): Loaded {
    const now = this.#clock.now();
    const works = () => [...this.works.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    return {
      now,
      environment: (id) => this.environments.get(id),
      session: (id) => this.sessions.get(id),
      work: (id) => this.works.get(id),
      token: (id) => this.tokens.get(id),
      agent: (id) => this.agents.get(id),
      agentVersion: (id, version) => this.versions.get(`${id} ${version}`),
      claimable: (id) => works().filter((work) => work.environmentId === id && work.state === "queued"),
      due: () =>
        works()
          .filter((work) => work.sweepAt !== null && work.sweepAt <= now)
          .sort((a, b) => (a.sweepAt as number) - (b.sweepAt as number)),
      hasSessions: (id) => [...this.sessions.values()].some((s) => s.environmentId === id && s.deletedAt === null),
      hasToolResult: (sessionId, toolUseId) =>
        this.events.some(
          (event) =>
            event.sessionId === sessionId &&
            event.type === "user.tool_result" &&
            event.payload.tool_use_id === toolUseId,
        ),
    };
  }

  #keep(changes: Changes): void {
    for (const [id, record] of changes.environments) this.environments.set(id, record);
    for (const [id, record] of changes.sessions) this.sessions.set(id, record);
    for (const [id, record] of changes.works) this.works.set(id, record);
    for (const [id, record] of changes.tokens) this.tokens.set(id, record);
    for (const [id, record] of changes.agents) this.agents.set(id, record);
    for (const version of changes.agentVersions) this.versions.set(`${version.id} ${version.version}`, version);
    this.events.push(...changes.events);
    for (const { sessionId, after, through, at } of changes.marks) {
      for (const [index, event] of this.events.entries()) {
        const between = event.id > (after ?? "") && event.id <= through;
        if (event.sessionId !== sessionId || !between || event.processedAt !== null) continue;
        if (INPUT_EVENT_TYPES.includes(event.type)) this.events[index] = { ...event, processedAt: at };
      }
    }
  }
}
