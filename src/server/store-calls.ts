import type { Store } from "../storage/store.ts";

/** What a store answers without asking its database. */
const FROM_MEMORY: ReadonlySet<PropertyKey> = new Set<keyof Store>(["kind", "now", "notePoll", "onCommit", "close"]);

/** How often each call of the port was made, commands under their own names: what waits idly must not ask at all. */
export class StoreCalls {
  readonly counts = new Map<string, number>();

  /** The same store, with its calls counted. */
  of(store: Store): Store {
    const counted = new Map<PropertyKey, unknown>();
    return new Proxy(store, {
      get: (target, key) => {
        if (!counted.has(key)) counted.set(key, this.#counting(target, key as keyof Store));
        return counted.get(key);
      },
    });
  }

  #counting(store: Store, key: keyof Store): unknown {
    const member = store[key] as unknown;
    if (typeof member !== "function") return member;
    const call = member.bind(store) as (...args: unknown[]) => unknown;
    if (FROM_MEMORY.has(key)) return call;
    return (...args: unknown[]) => {
      const name = key === "execute" ? String(args[0]) : key;
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      return call(...args);
    };
  }
}
