import type { CommandDefinition } from "../../src/core/commands/command.ts";
import { COMMANDS, type CommandInput, type CommandName, type CommandOutcome } from "../../src/core/commands/index.ts";
import type { Outcome } from "../../src/core/faults.ts";
import { IdSource } from "../../src/core/ids.ts";
import { isClaimable } from "../../src/core/lease.ts";
import type {
  AgentRecord,
  EnvironmentRecord,
  EventRecord,
  SessionRecord,
  TokenRecord,
  WorkRecord,
} from "../../src/core/records.ts";
import { type Changes, claimRows, type Loaded, type Needs, noNeeds, Unit } from "../../src/core/unit.ts";
import { FakeClock } from "./fake-clock.ts";

/** One call, as it would wait for a commit. */
export type PureCall = { [K in CommandName]: { readonly name: K; readonly input: CommandInput<K> } }[CommandName];

const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1);

/**
 * The commands over plain maps: pure functions, called the way that a store calls them. It loads exactly what `Loaded`
 * promises and no row more, so that a command that forgets to say what it needs is found out.
 */
export class PureUnits {
  readonly clock = new FakeClock();
  readonly environments = new Map<string, EnvironmentRecord>();
  readonly sessions = new Map<string, SessionRecord>();
  readonly works = new Map<string, WorkRecord>();
  readonly tokens = new Map<string, TokenRecord>();
  readonly agents = new Map<string, AgentRecord>();
  readonly events: EventRecord[] = [];
  /** The same every time: what differs between two runs of the same calls is a defect. */
  readonly #ids = new IdSource((bytes) => "5a".repeat(bytes));

  /** Runs one call in a commit of its own. */
  run<K extends CommandName>(name: K, input: CommandInput<K>): CommandOutcome<K> {
    return this.commit([{ name, input } as PureCall])[0] as CommandOutcome<K>;
  }

  /** Runs several calls that share a commit. */
  commit(calls: readonly PureCall[]): Outcome<unknown>[] {
    const needs = noNeeds();
    const definitions = calls.map(({ name }) => COMMANDS[name] as unknown as CommandDefinition<unknown, unknown>);
    for (const [index, call] of calls.entries()) definitions[index]?.needs(call.input, needs);
    const unit = new Unit(this.#load(needs), (kind, now, above) => this.#ids.next(kind, now, above));
    const outcomes = calls.map((call, index) => definitions[index]?.apply(unit, call.input) as Outcome<unknown>);
    this.#store(unit.changes());
    return outcomes;
  }

  eventsOf(sessionId: string): EventRecord[] {
    return this.events.filter((event) => event.sessionId === sessionId).sort(byId);
  }

  worksOf(sessionId: string): WorkRecord[] {
    return [...this.works.values()].filter((work) => work.sessionId === sessionId).sort(byId);
  }

  #load(needs: Needs): Loaded {
    const now = this.clock.now();
    const due = [...this.works.values()]
      .filter((work) => work.sweepAt !== null && work.sweepAt <= now)
      .sort((a, b) => (a.sweepAt as number) - (b.sweepAt as number))
      .slice(0, needs.sweepLimit);
    const works = new Set([...needs.works, ...due.map((work) => work.id)]);
    for (const id of needs.sessions) works.add(this.sessions.get(id)?.liveWorkId ?? "");
    const sessions = new Set(needs.sessions);
    for (const id of works) sessions.add(this.works.get(id)?.sessionId ?? "");
    const environments = new Set([...needs.environments, ...needs.claims.map((claim) => claim.environmentId)]);
    for (const id of works) environments.add(this.works.get(id)?.environmentId ?? "");
    for (const id of sessions) environments.add(this.sessions.get(id)?.environmentId ?? "");
    const only =
      <T>(ids: ReadonlySet<string>, rows: ReadonlyMap<string, T>) =>
      (id: string) =>
        ids.has(id) ? rows.get(id) : undefined;
    const loaded = {
      now,
      environment: only(environments, this.environments),
      session: only(sessions, this.sessions),
      work: only(works, this.works),
      token: only(needs.tokens, this.tokens),
      agent: only(needs.agents, this.agents),
      agentVersion: () => undefined,
      claimable: (environmentId: string) => this.#claimable(environmentId, needs, loaded),
      due: () => due,
      hasSessions: (environmentId: string) =>
        [...this.sessions.values()].some((one) => one.environmentId === environmentId && one.deletedAt === null),
      hasToolResult: (sessionId: string, toolUseId: string) =>
        this.eventsOf(sessionId).some(
          (event) => event.type === "user.tool_result" && event.payload.tool_use_id === toolUseId,
        ),
    };
    return loaded;
  }

  #claimable(environmentId: string, needs: Needs, loaded: Pick<Loaded, "now" | "work" | "session">): WorkRecord[] {
    const rows = claimRows(needs, environmentId, loaded);
    const queue = [...this.works.values()].filter((work) => work.environmentId === environmentId).sort(byId);
    const found = new Map<string, WorkRecord>();
    for (const claim of needs.claims) {
      if (claim.environmentId !== environmentId) continue;
      const claimable = queue.filter((work) => isClaimable(work, loaded.now, claim.windowMicros));
      for (const work of claimable.slice(0, rows)) found.set(work.id, work);
    }
    return [...found.values()].sort(byId);
  }

  #store(changes: Changes): void {
    for (const record of changes.environments.values()) this.environments.set(record.id, record);
    for (const record of changes.sessions.values()) this.sessions.set(record.id, record);
    for (const record of changes.works.values()) this.works.set(record.id, record);
    for (const record of changes.tokens.values()) this.tokens.set(record.id, record);
    for (const record of changes.agents.values()) this.agents.set(record.id, record);
    this.events.push(...changes.events);
    for (const mark of changes.marks) {
      for (const [index, event] of this.events.entries()) {
        const marked = event.sessionId === mark.sessionId && event.id > (mark.after ?? "") && event.id <= mark.through;
        if (marked && event.processedAt === null) this.events[index] = { ...event, processedAt: mark.at };
      }
    }
  }
}
