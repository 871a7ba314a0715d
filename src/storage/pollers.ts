import type { Micros } from "../core/time.ts";

/** Most workers remembered per environment; a flood of made-up names must not fill the memory. */
const MAX_WORKERS = 20_000;

/** Who polled when. The order of the map is the order of the last polls, so that counting stops at the first old one. */
export class PollerLog {
  readonly #environments = new Map<string, Map<string, Micros>>();

  note(environmentId: string, workerId: string, at: Micros): void {
    let workers = this.#environments.get(environmentId);
    if (workers === undefined) {
      workers = new Map();
      this.#environments.set(environmentId, workers);
    }
    workers.delete(workerId);
    workers.set(workerId, at);
    if (workers.size <= MAX_WORKERS) return;
    for (const oldest of workers.keys()) {
      workers.delete(oldest);
      return;
    }
  }

  /** Distinct workers that polled at or after `since`; forgets the others. */
  count(environmentId: string, since: Micros): number {
    const workers = this.#environments.get(environmentId);
    if (workers === undefined) return 0;
    for (const [workerId, at] of workers) {
      if (at >= since) break;
      workers.delete(workerId);
    }
    if (workers.size === 0) this.#environments.delete(environmentId);
    return workers.size;
  }
}
