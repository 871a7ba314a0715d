import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Migration, pendingMigrations, readMigrations } from "./migrate.ts";

/** Where a store lives: in PostgreSQL when there is a URL, else in a data folder. */
export interface StoreLocation {
  readonly dataDir: string;
  readonly databaseUrl?: string | undefined;
  readonly databaseSchema?: string | undefined;
}

export interface UpgradePlan {
  /** The version that the store has; 0 when there is none yet. */
  readonly current: number;
  readonly pending: readonly Pick<Migration, "version" | "name" | "breaking">[];
}

/**
 * Brings a store's schema up to date, or with `dryRun` only says what that would take.
 *
 * @throws StoreRefused when the store cannot be used
 */
export async function upgradeStore(location: StoreLocation, dryRun: boolean): Promise<UpgradePlan> {
  const { databaseUrl: url, databaseSchema, dataDir } = location;
  if (url === undefined) return upgradeSqlite(dataDir, dryRun);
  const [{ prepareSchema }, { DEFAULT_SCHEMA, limitsOf }] = await Promise.all([
    import("./postgres/open.ts"),
    import("./postgres/options.ts"),
  ]);
  const connection = { url, prepare: false, limits: limitsOf({ url }) };
  return prepareSchema(connection, databaseSchema ?? DEFAULT_SCHEMA, { dryRun });
}

async function upgradeSqlite(dataDir: string, dryRun: boolean): Promise<UpgradePlan> {
  const { DATABASE_FILE, openDatabase, readVersion } = await import("./sqlite/open.ts");
  const { closeFile } = await import("./sqlite/driver.ts");
  const file = join(dataDir, DATABASE_FILE);
  const current = existsSync(file) ? await readVersion(dataDir) : 0;
  const pending = pendingMigrations(readMigrations("sqlite"), current, file);
  if (!dryRun) closeFile((await openDatabase(dataDir)).database);
  return { current, pending };
}
