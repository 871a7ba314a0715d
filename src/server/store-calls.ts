import type { Store } from "../storage/store.ts";

/** What a store answers without asking its database. */
const FROM_MEMORY: ReadonlySet<PropertyKey> = new Set<keyof Store>(["kind", "now", "notePoll", "onCommit", "close"]);

/** How often each call of the port was made, commands under their own names: what waits idly must not ask at all. */
export class StoreCalls {
  readonly counts = new Map<string, number>();

  /** The same store, with its calls counted. */
  of(store: Store): Store {
    const counted: Record<string, unknown> = {};
    for (const key of membersOf(store)) counted[key] = this.#counting(store, key);
    return counted as unknown as Store;
  }

  #counting(store: Store, key: keyof Store): unknown {
    const member = store[key] as unknown;
    if (typeof member !== "function") return member;
    const call = member.bind(store) as (...args: unknown[]) => unknown;
    if (FROM_MEMORY.has(key)) return call;
    if (key === "execute") {
      const execute = call as Store["execute"];
      const counting: Store["execute"] = (name, input) => {
        this.#count(name);
        return execute(name, input);
      };
      return counting;
    }
    return (...args: unknown[]) => {
      this.#count(key);
      return call(...args);
    };
  }

  #count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }
}

/** The names of everything public that an object has, of its own or from its classes. */
function membersOf(store: Store): Set<keyof Store> {
  const names = new Set<string>();
  for (let at: object | null = store; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) if (name !== "constructor") names.add(name);
  }
  return names as Set<keyof Store>;
}
