import { afterEach, beforeEach } from "vitest";
import type { CommandInput, CommandName, CommandOutput } from "../../../src/core/commands/index.ts";
import type { Outcome } from "../../../src/core/faults.ts";
import type { EnvironmentRecord, QueuePolicy, SessionRecord, WorkRecord } from "../../../src/core/records.ts";
import type { NewEvent } from "../../../src/core/turn.ts";
import type { CommitSignals, Store } from "../../../src/storage/store.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import type { StorageHarness, TestDatabase } from "./harness.ts";

export const POLICY: QueuePolicy = { maxAttempts: 5, drainSeconds: 600, startSeconds: 60 };
export const WINDOW_MS = 5_000;

export const MESSAGE: NewEvent = {
  type: "user.message",
  payload: { content: [{ type: "text", text: "go" }] },
  needsAgent: true,
};

export const agentEvent = (text = "done"): NewEvent => ({
  type: "agent.message",
  payload: { content: [{ type: "text", text }] },
  needsAgent: false,
});

export function value<T>(outcome: Outcome<T>): T {
  if (outcome.refused) throw new Error(`refused: ${outcome.refused.message}`);
  return outcome.value;
}

/** An open store over an empty database, and short words for what tests do with it. */
export class Bench {
  readonly clock = new FakeClock();
  readonly database: TestDatabase;
  store: Store;

  private constructor(database: TestDatabase, store: Store) {
    this.database = database;
    this.store = store;
  }

  static async open(harness: StorageHarness): Promise<Bench> {
    const database = await harness.create();
    const bench = new Bench(database, undefined as unknown as Store);
    bench.store = await database.open(bench.clock);
    return bench;
  }

  async dispose(): Promise<void> {
    await this.store.close();
    await this.database.dispose();
  }

  /** As after a restart of the server. */
  async reopen(): Promise<void> {
    await this.store.close();
    this.store = await this.database.open(this.clock);
  }

  async do<K extends CommandName>(name: K, input: CommandInput<K>): Promise<CommandOutput<K>> {
    return value(await this.store.execute(name, input)) as CommandOutput<K>;
  }

  environment(policy: Partial<QueuePolicy> = {}): Promise<EnvironmentRecord> {
    return this.do("createEnvironment", {
      name: "queue",
      description: "",
      config: { type: "self_hosted" },
      selfHosted: true,
      policy: { ...POLICY, ...policy },
      metadata: {},
    });
  }

  session(environmentId: string, events: readonly NewEvent[] = [MESSAGE]): Promise<SessionRecord> {
    return this.do("createSession", { environmentId, agent: null, title: null, metadata: {}, initialEvents: events });
  }

  /** The queued item of a new session. */
  async queued(environmentId: string): Promise<WorkRecord> {
    const session = await this.session(environmentId);
    return this.item(session.liveWorkId as string);
  }

  async item(id: string): Promise<WorkRecord> {
    const found = await this.store.getWork(id);
    if (found === undefined) throw new Error(`${id} is gone`);
    return found;
  }

  async found(sessionId: string): Promise<SessionRecord> {
    const session = await this.store.getSession(sessionId);
    if (session === undefined) throw new Error(`${sessionId} is gone`);
    return session;
  }

  poll(environmentId: string, workerId: string | null = "w1", reclaimOlderThanMs = WINDOW_MS) {
    return this.do("poll", { environmentId, workerId, reclaimOlderThanMs });
  }

  ack(item: WorkRecord, workerId: string | null = "w1"): Promise<WorkRecord> {
    return this.do("ack", { environmentId: item.environmentId, workId: item.id, workerId });
  }

  beat(item: WorkRecord, workerId: string | null = "w1", ttlSeconds = 60) {
    return this.do("heartbeat", {
      environmentId: item.environmentId,
      workId: item.id,
      workerId,
      expected: undefined,
      ttlSeconds,
      declaredRetry: false,
      idempotencyKey: null,
    });
  }

  stop(item: WorkRecord, force = false): Promise<WorkRecord> {
    return this.do("stop", { environmentId: item.environmentId, workId: item.id, force, workerId: null });
  }

  release(item: WorkRecord, delayMs = 0): Promise<WorkRecord> {
    return this.do("release", { environmentId: item.environmentId, workId: item.id, workerId: null, delayMs });
  }

  /** Takes a queued item all the way to `active`. */
  async activate(item: WorkRecord, workerId = "w1"): Promise<void> {
    await this.ack(item, workerId);
    await this.beat(item, workerId);
  }

  send(sessionId: string, ...events: readonly NewEvent[]) {
    return this.do("sendEvents", { sessionId, events, sender: { role: "user" } });
  }

  /** What the store told of the commits that `act` caused. */
  async signals(act: () => Promise<unknown>): Promise<CommitSignals[]> {
    const seen: CommitSignals[] = [];
    const unsubscribe = this.store.onCommit((signals) => void seen.push(signals));
    await act();
    unsubscribe();
    return seen;
  }
}

/** A fresh bench for each test of a suite. */
export function useBench(harness: StorageHarness): () => Bench {
  let bench: Bench | undefined;
  beforeEach(async () => {
    bench = await Bench.open(harness);
  });
  afterEach(async () => {
    await bench?.dispose();
    bench = undefined;
  });
  return () => bench as Bench;
}

/** Text that has broken databases before. */
export const HOSTILE_TEXT =
  'nul \u0000, quote \', "double", back\\slash, {brace}, NULL, \u{1f680}, \u202e, \n\t, %s $1';
