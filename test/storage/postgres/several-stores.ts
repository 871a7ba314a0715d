import type { CommitSignals, Store } from "../../../src/storage/store.ts";

/** What they make stays with the first: ids of several servers have only their clock to be in order, and here it stands still. */
const MAKES = /^create/;

/**
 * Several servers' stores on one database as if they were one: calls of one turn of the event loop go to one of them, those
 * of the next turn to the next, so that no two calls after each other meet the same server.
 */
export async function openSeveral(count: number, open: () => Promise<Store>): Promise<Store> {
  const stores: Store[] = [];
  for (let index = 0; index < count; index++) stores.push(await open());
  let turn = 0;
  let moves = false;
  const next = (): Store => {
    if (!moves) {
      moves = true;
      setImmediate(() => {
        turn += 1;
        moves = false;
      });
    }
    return stores[turn % count] as Store;
  };
  const all = {
    onCommit(listener: (signals: CommitSignals) => void) {
      const ends = stores.map((store) => store.onCommit(listener));
      return () => {
        for (const end of ends) end();
      };
    },
    async close() {
      await Promise.all(stores.map((store) => store.close()));
    },
    execute(name: string, input: unknown) {
      const store = MAKES.test(name) ? (stores[0] as Store) : next();
      return store.execute(name as never, input as never);
    },
  };
  return new Proxy(stores[0] as Store, {
    get(first, property) {
      if (property in all) return Reflect.get(all, property);
      if (typeof Reflect.get(first, property) !== "function") return Reflect.get(first, property);
      return (...values: unknown[]) => {
        const store = next();
        return (Reflect.get(store, property) as (...values: unknown[]) => unknown).apply(store, values);
      };
    },
  });
}
