import type { WorkState } from "../../core/transitions.ts";
import type { StateCount } from "../store.ts";

/**
 * How many items each state has. Counting a million rows holds up everybody for a tenth of a second, so it is done once,
 * and from then on each commit says what it moved.
 */
export class WorkCounts {
  readonly #count: () => readonly StateCount[];
  #known: Map<string, number> | undefined;

  /** @param count counts the rows */
  constructor(count: () => readonly StateCount[]) {
    this.#count = count;
  }

  all(): StateCount[] {
    this.#known ??= new Map(this.#count().map(({ state, count }) => [state, count]));
    return [...this.#known].map(([state, count]) => ({ state, count }));
  }

  /** @param from the committed state that the item had; `undefined` for a new one */
  moved(from: WorkState | undefined, to: WorkState): void {
    const known = this.#known;
    if (known === undefined || from === to) return;
    if (from !== undefined) known.set(from, (known.get(from) ?? 0) - 1);
    known.set(to, (known.get(to) ?? 0) + 1);
  }

  /** Counts the rows again when somebody asks. */
  forget(): void {
    this.#known = undefined;
  }
}
