import { wait } from "../client/wait.ts";
import type { Report } from "./events.ts";
import type { HandOut } from "./hand-out.ts";
import type { SessionOutcome } from "./item-end.ts";
import { sharedNowMs } from "./keeper-messages.ts";
import { type SessionParts, SessionRun } from "./session-run.ts";
import { Slots } from "./slots.ts";
import { noneEnded, type SessionStatus } from "./status.ts";

/** How long a session that waits for its user may take to give way to another one. */
const GIVE_WAY_MS = 2_000;

/** The sessions that a worker runs at once. */
export class SessionPool {
  readonly slots: Slots;
  readonly #parts: Omit<SessionParts, "onIdle">;
  readonly #report: Report;
  readonly #runs = new Map<SessionRun, Promise<void>>();
  /** Sessions whose handler has not returned: a second one must not work in the same folder. */
  readonly #busy = new Set<string>();
  readonly #ended = noneEnded();
  /** Told when a slot becomes free. */
  #freed: (() => void) | undefined;

  constructor(concurrency: number, parts: Omit<SessionParts, "onIdle">) {
    this.slots = new Slots(concurrency);
    this.#parts = parts;
    this.#report = parts.report;
  }

  get ended(): Readonly<Record<SessionOutcome, number>> {
    return { ...this.#ended };
  }

  /**
   * Starts with a delivered item, or drops it: not acknowledged, it is delivered again after the reclaim window, to a
   * free worker or to this one. Resolves when that is decided. For one caller at a time.
   */
  async take(handOut: HandOut): Promise<void> {
    const sessionId = handOut.work.data.id;
    if (this.#busy.has(sessionId)) return this.#drop(handOut, "an earlier turn of its session has not ended here yet");
    if (!(await this.#slotFreed())) return this.#drop(handOut, "no session gave way to it in time");
    this.#start(handOut);
  }

  /** Ends the input of every session: each finishes what it is at. */
  closeInput(): void {
    for (const run of this.#runs.keys()) run.closeInput();
  }

  /** Ends every session: politely now, with force after the grace period. */
  shutDown(graceMs: number): void {
    for (const run of this.#runs.keys()) run.shutDown(graceMs);
  }

  /** Resolves when no session runs. */
  async settled(): Promise<void> {
    await Promise.all(this.#runs.values());
  }

  statuses(): SessionStatus[] {
    const now = performance.now();
    return [...this.#runs.keys()].map(({ work, phase, startedAtMs, leaseEndsAtMs }) => ({
      workId: work.id,
      sessionId: work.data.id,
      phase,
      runningSeconds: (now - startedAtMs) / 1_000,
      leaseEndsInSeconds: leaseEndsAtMs === undefined ? undefined : (leaseEndsAtMs - sharedNowMs()) / 1_000,
    }));
  }

  /** Whether there is a free slot, if need be after the session that has waited longest for its user gave it up. */
  async #slotFreed(): Promise<boolean> {
    if (this.slots.isFree) return true;
    const idle = [...this.#runs.keys()].filter((run) => run.idleSinceMs !== undefined);
    idle.sort((a, b) => (a.idleSinceMs ?? 0) - (b.idleSinceMs ?? 0));
    idle[0]?.closeInput();
    const free = new AbortController();
    this.#freed = () => free.abort();
    await wait(GIVE_WAY_MS, free.signal).catch(() => {});
    this.#freed = undefined;
    return this.slots.isFree;
  }

  #start(handOut: HandOut): void {
    const sessionId = handOut.work.data.id;
    this.slots.take();
    this.#busy.add(sessionId);
    const onIdle = (idle: boolean) => (idle ? this.slots.idle() : this.slots.busy());
    const run = new SessionRun(handOut, { ...this.#parts, onIdle });
    const settled = this.#follow(run);
    this.#runs.set(run, settled);
    settled
      .then(() => {
        this.#runs.delete(run);
        return run.handlerReturned;
      })
      .then(() => {
        this.#busy.delete(sessionId);
        this.slots.free();
        this.#freed?.();
      });
  }

  #drop({ work }: HandOut, why: string): void {
    this.#ended.dropped += 1;
    const message = `Item ${work.id} is left alone: ${why}.`;
    const ids = { workId: work.id, sessionId: work.data.id };
    this.#report({ level: "warn", type: "delivery_dropped", message, ...ids });
  }

  async #follow(run: SessionRun): Promise<void> {
    const { id: workId, data } = run.work;
    const ids = { workId, sessionId: data.id };
    this.#report({ level: "info", type: "session_started", message: `Item ${workId}: started.`, ...ids });
    const outcome = await run.run();
    this.#ended[outcome] += 1;
    const seconds = (performance.now() - run.startedAtMs) / 1_000;
    this.#report({
      level: outcome === "lost" || outcome === "failed" ? "warn" : "info",
      type: "session_finished",
      message: `Item ${workId}: ${outcome.replace("_", " ")} after ${seconds.toFixed(1)} s.${run.why === undefined ? "" : ` ${run.why}`}`,
      facts: { outcome, seconds },
      ...ids,
    });
  }
}
