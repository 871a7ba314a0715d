import type { Work } from "../contract/shapes.ts";
import type { Report } from "./events.ts";
import type { SessionOutcome } from "./item-end.ts";
import { sharedNowMs } from "./keeper-messages.ts";
import { type SessionParts, SessionRun } from "./session-run.ts";
import { Slots } from "./slots.ts";
import { noneEnded, type SessionStatus } from "./status.ts";

/** The sessions that a worker runs at once. */
export class SessionPool {
  readonly slots: Slots;
  readonly #parts: SessionParts;
  readonly #report: Report;
  readonly #runs = new Map<SessionRun, Promise<void>>();
  /** Sessions whose handler has not returned: a second one must not work in the same folder. */
  readonly #busy = new Set<string>();
  readonly #ended = noneEnded();

  constructor(concurrency: number, parts: SessionParts) {
    this.slots = new Slots(concurrency);
    this.#parts = parts;
    this.#report = parts.report;
  }

  get ended(): Readonly<Record<SessionOutcome, number>> {
    return { ...this.#ended };
  }

  /** Starts with a delivered item; returns at once. There has to be a free slot. */
  take(work: Work): void {
    const sessionId = work.data.id;
    if (this.#busy.has(sessionId)) {
      // Not acknowledged, it is delivered again after the reclaim window: to a free worker, or to this one.
      this.#ended.dropped += 1;
      const message = `Item ${work.id} is left alone: an earlier turn of its session has not ended here yet.`;
      this.#report({ level: "warn", type: "delivery_dropped", message, workId: work.id, sessionId });
      return;
    }
    this.slots.take();
    this.#busy.add(sessionId);
    const run = new SessionRun(work, this.#parts);
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
      });
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
      message: `Item ${workId}: ${outcome} after ${seconds.toFixed(1)} s.${run.why === undefined ? "" : ` ${run.why}`}`,
      facts: { outcome, seconds },
      ...ids,
    });
  }
}
