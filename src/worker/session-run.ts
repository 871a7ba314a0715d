import { LIMITS } from "../contract/limits.ts";
import type { Work } from "../contract/shapes.ts";
import type { WorkerEvent } from "./events.ts";
import { describe, describeCall, handOutOver, isHandOutOver, persist } from "./failures.ts";
import { handsOff } from "./hand-off-handler.ts";
import type { HandOut } from "./hand-out.ts";
import { TurnFailed } from "./handler.ts";
import { ItemEnd, type SessionOutcome } from "./item-end.ts";
import type { LeaseNews } from "./lease.ts";
import type { HeldLease, LeaseKeeper } from "./lease-keeper.ts";
import { TurnRun, type TurnRunParts } from "./turn-run.ts";
import { TurnSignals } from "./turn-signals.ts";

/** A lease that this process takes over, instead of acknowledging an item. */
export interface TakenOverLease {
  readonly lastHeartbeat: string;
  /** How long it lasts without another one. */
  readonly endsInMs: number;
}

/** What all sessions of a worker share. */
export interface SessionParts extends Omit<TurnRunParts, "handOut" | "signals" | "onIdle"> {
  readonly environmentId: string;
  readonly keeper: LeaseKeeper;
  readonly ttlSeconds: number;
  /** A session begins, or ceases, to wait for its user. */
  readonly onIdle: (idle: boolean) => void;
}

export type SessionPhase = "acknowledging" | "starting" | "running" | "waiting" | "finishing";

/** Where the environment allows less, the server refuses a late first heartbeat. */
const FIRST_BEAT_WITHIN_MS = LIMITS.queue.startSeconds.default * 1_000;
const CALL_TIMEOUT_MS = 10_000;

/** One item from its delivery, or its take-over, to its end: ack, heartbeats, turn, stop or release. */
export class SessionRun {
  readonly work: Work;
  readonly startedAtMs = performance.now();
  readonly #handOut: HandOut;
  readonly #parts: SessionParts;
  readonly #takenOver: TakenOverLease | undefined;
  readonly #signals = new TurnSignals();
  readonly #turn: TurnRun;
  readonly #end: ItemEnd;
  #phase: SessionPhase = "acknowledging";
  #lease: HeldLease | undefined;
  #leaseEndsAtMs: number | undefined;
  /** The item as the server knows it now, put together from its answers. */
  #item: Work;
  #idleSinceMs: number | undefined;

  constructor(handOut: HandOut, parts: SessionParts, takenOver?: TakenOverLease) {
    this.work = handOut.work;
    this.#item = handOut.work;
    this.#takenOver = takenOver;
    this.#handOut = handOut;
    this.#parts = parts;
    const shared = {
      ...parts,
      handOut,
      signals: this.#signals,
      report: (event: WorkerEvent) => this.#report(event),
    };
    this.#turn = new TurnRun({ ...shared, onIdle: (idle) => this.#idle(idle) });
    this.#end = new ItemEnd({ ...shared, turn: this.#turn });
  }

  get phase(): SessionPhase {
    return this.#phase;
  }

  /** On the clock of `sharedNowMs`; `undefined` before the first heartbeat. */
  get leaseEndsAtMs(): number | undefined {
    return this.#leaseEndsAtMs;
  }

  /** Since when the session waits for its user, on the clock of `performance`; `undefined` while it does not. */
  get idleSinceMs(): number | undefined {
    return this.#idleSinceMs;
  }

  /** Why the turn ended early or failed. */
  get why(): string | undefined {
    if (this.#signals.reason !== undefined) return this.#signals.message;
    const { failure } = this.#turn;
    if (failure === undefined) return undefined;
    return isHandOutOver(failure.error) ? handOutOver(this.work.id) : toldOperator(failure.error);
  }

  /** Resolves when the handler has returned, which may be after `run` when it ignores its signals. */
  get handlerReturned(): Promise<void> {
    return this.#turn.handlerReturned;
  }

  /** Lets the handler finish what it is at, and gives it nothing more. */
  closeInput(): void {
    this.#turn.closeInput();
  }

  /** The worker ends: the turn is aborted, and the item given back. */
  shutDown(graceMs: number): void {
    this.#signals.abort("shutdown", "The worker is shutting down.", graceMs);
    this.#end.hurry();
  }

  /** Never rejects. */
  async run(): Promise<SessionOutcome> {
    if (this.#takenOver === undefined && !(await this.#acknowledge())) return "dropped";
    this.#phase = "starting";
    const firstNews = new Promise<void>((resolve) => this.#heartbeats(resolve));
    try {
      await firstNews;
      if (this.#signals.reason === undefined) {
        this.#phase = "running";
        await this.#turn.run(this.#item);
        if (this.#turn.failure !== undefined && handsOff(this.#parts.handler)) await this.#noticeTakeOver();
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
    const ids = { environment_id: this.#parts.environmentId, work_id: this.work.id };
    const { signal } = this.#signals;
    const options = { signal, timeoutMs: CALL_TIMEOUT_MS, maxRetries: 0 };
    try {
      this.#item = await persist(() => this.#handOut.client.ackWork(ids, options), signal);
      return true;
    } catch (failure) {
      const message = `Item ${this.work.id} was delivered, but could not be taken: ${describeCall(failure, this.work.id)}`;
      this.#report({ level: "warn", type: "delivery_dropped", message });
      return false;
    }
  }

  /** Before anything else: from the ack on, the server waits for the first heartbeat. */
  #heartbeats(onFirst: () => void): void {
    const { lastHeartbeat, endsInMs = FIRST_BEAT_WITHIN_MS } = this.#takenOver ?? {};
    const terms = { ttlSeconds: this.#parts.ttlSeconds, firstBeatWithinMs: endsInMs, lastHeartbeat };
    const holder = { workId: this.work.id, token: this.#handOut.token };
    this.#lease = this.#parts.keeper.hold(holder, terms, (news) => {
      this.#hear(news);
      if (news.type !== "failing") onFirst();
    });
  }

  #hear(news: LeaseNews): void {
    const { id } = this.work;
    if (news.type === "failing") {
      const message = `A heartbeat of item ${id} failed, and is tried again while its lease lasts, ${Math.round(news.leftMs / 1_000)} s: ${news.why}`;
      this.#report({ level: "warn", type: "heartbeat_failed", message });
      return;
    }
    if (news.type === "lost") {
      if (news.takenOver && this.#turn.handOff()) return;
      const message = news.isOver ? handOutOver(id) : `The lease of item ${id} is lost: ${news.why}.`;
      this.#signals.abort("lease_lost", message, 0);
      this.#end.leaseLost();
      return;
    }
    this.#leaseEndsAtMs = news.endsAtMs;
    const { state, lastHeartbeat } = news;
    // The first heartbeat is what makes an item active, at that very instant.
    const startedAt = this.#item.started_at ?? (state === "active" ? lastHeartbeat : null);
    this.#item = { ...this.#item, state, started_at: startedAt, latest_heartbeat_at: lastHeartbeat };
    if (state !== "stopping") return;
    const message = `Item ${id} was asked to stop.`;
    this.#signals.abort("stop_requested", message, this.#parts.graceSeconds * 1_000);
  }

  /** Whatever the start command came to: what it has started may have the lease, and we would hear of it a beat later. */
  async #noticeTakeOver(): Promise<void> {
    const ids = { environment_id: this.#parts.environmentId, work_id: this.work.id };
    const options = { signal: this.#signals.forced, timeoutMs: CALL_TIMEOUT_MS };
    const item = await this.#handOut.client.getWork(ids, options).catch(() => undefined);
    if ((item?.latest_heartbeat_at ?? "") > (this.#item.latest_heartbeat_at ?? "")) this.#turn.handOff();
  }

  #idle(idle: boolean): void {
    this.#phase = idle ? "waiting" : "running";
    this.#idleSinceMs = idle ? performance.now() : undefined;
    this.#parts.onIdle(idle);
  }

  #report(event: WorkerEvent): void {
    this.#parts.report({ ...event, workId: this.work.id, sessionId: this.work.data.id });
  }
}

const LAST_WORDS_CHARACTERS = 300;

/** Why a turn failed, and the last line that a command wrote about it: the session gets more of that. */
function toldOperator(error: unknown): string {
  const tail = error instanceof TurnFailed ? error.facts.stderr_tail : undefined;
  const lastLine = typeof tail === "string" ? (tail.trim().split("\n").at(-1) ?? "") : "";
  return lastLine === "" ? describe(error) : `${describe(error)} It wrote: ${lastLine.slice(-LAST_WORDS_CHARACTERS)}`;
}
