import type { CommitSignals, Store } from "../../../src/storage/store.ts";

type Method = (...words: never[]) => Promise<unknown>;

/** A store of which some calls go through something else first. */
export function around(store: Store, replaced: Readonly<Record<string, (call: Method) => unknown>>): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      const bound = value.bind(target);
      return replaced[name as string]?.(bound) ?? bound;
    },
  });
}

/** Counts calls by their name. */
export function counting(counts: Record<string, number>, names: readonly string[]): (store: Store) => Store {
  const counted = (name: string) => (call: Method) => {
    return (...words: never[]) => {
      counts[name] = (counts[name] ?? 0) + 1;
      return call(...words);
    };
  };
  return (store) => around(store, Object.fromEntries(names.map((name) => [name, counted(name)])));
}

/**
 * A database on another machine: reads take a while before and after they look, and what commits tell may be lost,
 * doubled or late. All of that is allowed to a store.
 *
 * @param random from 0 to 1
 */
export function distant(random: () => number): (store: Store) => Store {
  const pause = () =>
    random() < 0.5 ? Promise.resolve() : new Promise<void>((resolve) => setTimeout(resolve, random() * 3));
  const slow =
    (call: Method) =>
    async (...words: never[]) => {
      await pause();
      const found = await call(...words);
      await pause();
      return found;
    };
  const unreliable = (subscribe: Method) => (listener: (signals: CommitSignals) => void) =>
    subscribe(((signals: CommitSignals) => {
      const chance = random();
      if (chance < 0.2) return;
      if (chance < 0.4) listener(signals);
      if (chance < 0.6) setTimeout(() => listener(signals), random() * 5);
      else listener(signals);
    }) as never);
  return (store) => around(store, { listEvents: slow, getSession: slow, onCommit: unreliable });
}
