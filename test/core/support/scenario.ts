import type { CreateEnvironmentInput } from "../../../src/core/commands/environments.ts";
import type { CommandInput, CommandName, CommandOutcome, CommandOutput } from "../../../src/core/commands/index.ts";
import { eventKind } from "../../../src/core/event-types.ts";
import type { EventRecord, JsonObject, QueuePolicy, SessionRecord, WorkRecord } from "../../../src/core/records.ts";
import type { NewEvent } from "../../../src/core/turn.ts";
import { PureUnits } from "../../support/pure-unit.ts";
import { POLICY, value } from "./items.ts";

export const event = (type: string, payload: JsonObject = {}): NewEvent => ({
  type,
  payload,
  needsAgent: eventKind(type)?.needsAgent === true,
});

/** One environment and what callers do in it, each call in a commit of its own and a second after the last. */
export class Scenario {
  readonly units = new PureUnits();
  readonly environmentId: string;

  constructor(policy: Partial<QueuePolicy> = {}) {
    this.environmentId = this.environment({ policy: { ...POLICY, ...policy } });
  }

  /** One more environment. */
  environment(fields: Partial<CreateEnvironmentInput> = {}): string {
    return this.do("createEnvironment", {
      name: "test",
      description: "",
      config: { type: "self_hosted" },
      selfHosted: true,
      policy: POLICY,
      metadata: {},
      ...fields,
    }).id;
  }

  try<K extends CommandName>(name: K, input: CommandInput<K>): CommandOutcome<K> {
    this.pass(1);
    return this.units.run(name, input);
  }

  do<K extends CommandName>(name: K, input: CommandInput<K>): CommandOutput<K> {
    return value(this.try(name, input)) as CommandOutput<K>;
  }

  pass(seconds: number): void {
    this.units.clock.advanceSeconds(seconds);
  }

  /** A session that begins with these events. */
  open(...initialEvents: NewEvent[]): string {
    const { environmentId } = this;
    return this.do("createSession", { environmentId, agent: null, title: null, metadata: {}, initialEvents }).id;
  }

  send(sessionId: string, ...types: string[]): readonly EventRecord[] {
    const events = types.map((type) => event(type));
    return this.do("sendEvents", { sessionId, events, sender: { role: "user" } });
  }

  say(sessionId: string): EventRecord {
    return this.send(sessionId, "user.message")[0] as EventRecord;
  }

  /** Events from a worker; throws when it may not write. */
  reply(sessionId: string, workerId: string | null, ...types: string[]): readonly EventRecord[] {
    const events = (types.length === 0 ? ["agent.message"] : types).map((type) => event(type));
    return this.do("sendEvents", { sessionId, events, sender: { role: "worker", workerId } });
  }

  poll(workerId: string | null = "w1"): WorkRecord | undefined {
    const { environmentId } = this;
    return this.do("poll", { environmentId, workerId, reclaimOlderThanMs: 5_000 })?.item;
  }

  /** Polls, acknowledges and sends the first heartbeat. */
  take(workerId = "w1"): WorkRecord {
    const item = this.poll(workerId);
    if (item === undefined) throw new Error("nothing to take");
    this.do("ack", { ...this.target(item.id), workerId });
    this.beat(item.id, workerId);
    return this.work(item.id);
  }

  beat(workId: string, workerId = "w1"): void {
    const expected = this.work(workId).latestHeartbeatAt;
    const options = { ttlSeconds: 60, declaredRetry: false, idempotencyKey: null };
    this.do("heartbeat", { ...this.target(workId), workerId, expected, ...options });
  }

  /** A worker's request to stop, and its confirmation. */
  finish(workId: string, workerId: string | null = "w1", processedThrough?: string): void {
    this.stop(workId, workerId, processedThrough);
    if (this.work(workId).state === "stopping") this.stop(workId, workerId);
  }

  stop(workId: string, workerId: string | null = null, processedThrough?: string, force = false): void {
    this.do("stop", { ...this.target(workId), workerId, force, processedThrough });
  }

  /** Lets every lease run out, and sweeps. */
  lapse(): void {
    this.pass(700);
    this.do("sweep", { limit: 100 });
  }

  target(workId: string): { environmentId: string; workId: string } {
    return { environmentId: this.environmentId, workId };
  }

  work(id: string): WorkRecord {
    return this.units.works.get(id) as WorkRecord;
  }

  session(id: string): SessionRecord {
    return this.units.sessions.get(id) as SessionRecord;
  }

  /** The item that the session waits for. */
  live(sessionId: string): WorkRecord | undefined {
    const live = this.units.worksOf(sessionId).filter((work) => work.state !== "stopped");
    if (live.length > 1) throw new Error(`${sessionId} has ${live.length} live items`);
    if (live[0]?.id !== (this.session(sessionId).liveWorkId ?? undefined)) throw new Error("liveWorkId is wrong");
    return live[0];
  }

  /** The session's events in order, statuses with their stop reason. */
  story(sessionId: string): string[] {
    return this.units.eventsOf(sessionId).map(({ type, payload }) => {
      const reason = (payload.stop_reason as { type?: string } | undefined)?.type;
      return reason === undefined ? type : `${type} ${reason}`;
    });
  }

  /** The newest events of {@link story}. */
  ending(sessionId: string, count: number): string[] {
    return this.story(sessionId).slice(-count);
  }
}
