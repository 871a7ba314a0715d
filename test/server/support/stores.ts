import type { CommitSignals, Store } from "../../../src/storage/store.ts";
import { intercepting } from "../../support/intercepting.ts";

type Wrap = (store: Store) => Store;
type Loose = (...values: unknown[]) => unknown;

const all =
  (wraps: readonly Wrap[]): Wrap =>
  (store) =>
    wraps.reduce((wrapped, wrap) => wrap(wrapped), store);

/** A store with several of its methods replaced by what is made of them. */
export function around(
  store: Store,
  replaced: Readonly<Partial<Record<keyof Store, (original: Loose) => (...values: never[]) => unknown>>>,
): Store {
  const names = Object.keys(replaced) as (keyof Store)[];
  return all(names.flatMap((name) => (replaced[name] === undefined ? [] : [intercepting(name, replaced[name])])))(
    store,
  );
}

/** Counts calls by their name. */
export function counting(counts: Partial<Record<keyof Store, number>>, names: readonly (keyof Store)[]): Wrap {
  const counted = (name: keyof Store) => (original: Loose) => {
    return (...values: never[]) => {
      counts[name] = (counts[name] ?? 0) + 1;
      return original(...values);
    };
  };
  return all(names.map((name) => intercepting(name, counted(name))));
}

/**
 * A database on another machine: reads take a while before and after they look, and what commits tell may be lost,
 * doubled or late. All of that is allowed to a store.
 *
 * @param random from 0 to 1
 */
export function distant(random: () => number): Wrap {
  const pause = () =>
    random() < 0.5 ? Promise.resolve() : new Promise<void>((resolve) => setTimeout(resolve, random() * 10));
  const slow = (original: Loose) => {
    return async (...values: never[]) => {
      await pause();
      const found = await original(...values);
      await pause();
      return found;
    };
  };
  const unreliable = (subscribe: Loose) => (listener: (signals: CommitSignals) => void) =>
    subscribe((signals: CommitSignals) => {
      const chance = random();
      if (chance < 0.2) return;
      if (chance < 0.4) listener(signals);
      if (chance < 0.6) setTimeout(() => listener(signals), random() * 5);
      else listener(signals);
    });
  return (store) => around(store, { listEvents: slow, getSession: slow, onCommit: unreliable });
}
