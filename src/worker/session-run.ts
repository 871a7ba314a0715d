import type { CapstanClient } from "../client/client.ts";
import { LIMITS } from "../contract/limits.ts";
import type { Work } from "../contract/shapes.ts";
import type { Report, WorkerEvent } from "./events.ts";
import { describe, persist } from "./failures.ts";
import { ItemEnd, type SessionOutcome } from "./item-end.ts";
import type { LeaseNews } from "./lease.ts";
import type { HeldLease, LeaseKeeper } from "./lease-keeper.ts";
import { TurnRun, type TurnRunParts } from "./turn-run.ts";
import { TurnSignals } from "./turn-signals.ts";

/** What all sessions of a worker share. */
export interface SessionParts extends Omit<TurnRunParts, "work" | "signals"> {
  readonly client: CapstanClient;
  readonly environmentId: string;
  readonly workerId: string;
  readonly keeper: LeaseKeeper;
  readonly ttlSeconds: number;
  readonly graceSeconds: number;
  readonly report: Report;
}

export type SessionPhase = "acknowledging" | "starting" | "running" | "finishing";

/** Where the environment allows less, the server refuses a late first heartbeat. */
const FIRST_BEAT_WITHIN_MS = LIMITS.queue.startSeconds.default * 1_000;
const CALL_TIMEOUT_MS = 10_000;

/** One item from its delivery to its end: ack, heartbeats, turn, stop or release. */
export class SessionRun {
  readonly work: Work;
  readonly startedAtMs = performance.now();
  readonly #parts: SessionParts;
  readonly #signals = new TurnSignals();
  readonly #turn: TurnRun;
  readonly #end: ItemEnd;
  #phase: SessionPhase = "acknowledging";
  #lease: HeldLease | undefined;
  #leaseEndsAtMs: number | undefined;

  constructor(work: Work, parts: SessionParts) {
    this.work = work;
    this.#parts = parts;
    const report: Report = (event) => this.#report(event);
    this.#turn = new TurnRun({ ...parts, report, work, signals: this.#signals });
    this.#end = new ItemEnd({ ...parts, report, work, signals: this.#signals, turn: this.#turn });
  }

  get phase(): SessionPhase {
    return this.#phase;
  }

  /** On the clock of `sharedNowMs`; `undefined` before the first heartbeat. */
  get leaseEndsAtMs(): number | undefined {
    return this.#leaseEndsAtMs;
  }

  /** Why the turn ended early or failed. */
  get why(): string | undefined {
    if (this.#signals.reason !== undefined) return this.#signals.message;
    return this.#turn.failure === undefined ? undefined : describe(this.#turn.failure.error);
  }

  /** Resolves when the handler has returned, which may be after `run` when it ignores its signals. */
  get handlerReturned(): Promise<void> {
    return this.#turn.handlerReturned;
  }

  /** The worker ends: the turn is aborted, and the item given back. */
  shutDown(graceMs: number): void {
    this.#signals.abort("shutdown", "The worker is shutting down.", graceMs);
    this.#end.hurry();
  }

  /** Never rejects. */
  async run(): Promise<SessionOutcome> {
    if (!(await this.#acknowledge())) return "dropped";
    this.#phase = "starting";
    const firstNews = new Promise<void>((resolve) => this.#heartbeats(resolve));
    try {
      await firstNews;
      if (this.#signals.reason === undefined) {
        this.#phase = "running";
        await this.#turn.run();
      }
      this.#phase = "finishing";
      return await this.#end.finish();
    } finally {
      this.#lease?.drop();
      this.#signals.close();
      this.#end.close();
    }
  }

  async #acknowledge(): Promise<boolean> {
    const { client, environmentId, workerId } = this.#parts;
    const ids = { environment_id: environmentId, work_id: this.work.id, worker_id: workerId };
    const { signal } = this.#signals;
    try {
      await persist(() => client.ackWork(ids, { signal, timeoutMs: CALL_TIMEOUT_MS, maxRetries: 0 }), signal);
      return true;
    } catch (failure) {
      const message = `Item ${this.work.id} was delivered, but could not be taken: ${describe(failure)}`;
      this.#report({ level: "warn", type: "delivery_dropped", message });
      return false;
    }
  }

  /** Before anything else: from the ack on, the server waits for the first heartbeat. */
  #heartbeats(onFirst: () => void): void {
    const terms = { ttlSeconds: this.#parts.ttlSeconds, firstBeatWithinMs: FIRST_BEAT_WITHIN_MS };
    this.#lease = this.#parts.keeper.hold(this.work.id, terms, (news) => {
      this.#hear(news);
      onFirst();
    });
  }

  #hear(news: LeaseNews): void {
    if (news.type === "lost") {
      this.#signals.abort("lease_lost", `The lease of item ${this.work.id} is lost: ${news.why}.`, 0);
      this.#end.leaseLost();
      return;
    }
    this.#leaseEndsAtMs = news.endsAtMs;
    if (news.state !== "stopping") return;
    const message = `Item ${this.work.id} was asked to stop.`;
    this.#signals.abort("stop_requested", message, this.#parts.graceSeconds * 1_000);
  }

  #report(event: WorkerEvent): void {
    this.#parts.report({ ...event, workId: this.work.id, sessionId: this.work.data.id });
  }
}
