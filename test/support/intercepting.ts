import type { Store } from "../../src/storage/store.ts";

type Method = (...values: never[]) => unknown;
type Loose = (...values: unknown[]) => unknown;

/** A real store with one of its methods replaced by what is made of it: to delay, to fail or to count calls. */
export function intercepting(name: keyof Store, replace: (original: Loose) => Method): (store: Store) => Store {
  return (store) => {
    const replaced = replace((store[name] as Loose).bind(store));
    return new Proxy(store, {
      get(target, property) {
        if (property === name) return replaced;
        const value: unknown = Reflect.get(target, property);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
}
