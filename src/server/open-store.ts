import { openSqliteStore } from "../storage/sqlite/store.ts";
import type { Store } from "../storage/store.ts";
import type { ServerOptions } from "./options.ts";

/**
 * The store that a server was told to use.
 *
 * @throws StoreRefused when it cannot be used
 */
export async function openStoreOf(options: ServerOptions): Promise<Store> {
  const { databaseUrl, databaseListenUrl, databasePoolSize, dataDir } = options;
  if (databaseUrl === undefined) return openSqliteStore({ dataDir });
  // Loaded only here: the driver is of no use to a server with an embedded database.
  const { openPostgresStore } = await import("../storage/postgres/store.ts");
  return openPostgresStore({
    url: databaseUrl,
    listenUrl: databaseListenUrl === "none" ? false : databaseListenUrl,
    schema: options.databaseSchema,
    prepare: options.databasePrepare,
    ...(databasePoolSize === undefined ? {} : { poolSize: databasePoolSize }),
  });
}
