import pg from "pg";
import { type Migration, readMigrations } from "../migrate.ts";
import type { Row, Value } from "../rows/index.ts";
import { StoreRefused, StoreUnavailable } from "../store.ts";

/** Whoever migrates holds this lock until its transaction ends; whoever starts at the same time waits, and finds it done. */
const MIGRATION_LOCKS = 0x63617074;
const MIGRATION_LOCK_TIMEOUT_MS = 60_000;
const OLDEST_SERVER = { number: 140_000, name: "14" };

/** Runs SQL and answers its rows; several statements at once where there are no values. */
export type Run = (text: string, values?: readonly Value[]) => Promise<readonly Row[]>;

export const quoted = (identifier: string): string => pg.escapeIdentifier(identifier);

export interface SchemaPlan {
  /** The version that the database has; 0 for none. */
  readonly current: number;
  readonly pending: readonly Migration[];
}

interface Applied {
  readonly version: number;
  readonly breaking: boolean;
}

/** What has been applied, in order; empty when there is no schema yet. */
async function applied(run: Run, schema: string): Promise<readonly Applied[]> {
  const [table] = await run("SELECT to_regclass($1) IS NOT NULL AS exists", [`${quoted(schema)}.migration`]);
  if (table?.exists !== 1) return [];
  const rows = await run(`SELECT version, breaking FROM ${quoted(schema)}.migration ORDER BY version`, []);
  return rows.map((row) => ({ version: row.version as number, breaking: row.breaking === 1 }));
}

/**
 * What the database still needs.
 *
 * @throws StoreRefused when a newer program has changed the schema so that this one could misread it
 */
export async function planSchema(run: Run, schema: string, migrations: readonly Migration[]): Promise<SchemaPlan> {
  const done = await applied(run, schema);
  refuseNewer(done, schema, migrations);
  const current = done.at(-1)?.version ?? 0;
  return { current, pending: migrations.filter(({ version }) => version > current) };
}

function refuseNewer(done: readonly Applied[], schema: string, migrations: readonly Migration[]): void {
  const breaking = done.find(({ version, breaking }) => version > migrations.length && breaking);
  if (breaking === undefined) return;
  throw new StoreRefused(
    `Schema ${schema} has version ${breaking.version}, and this program knows versions up to ${migrations.length}. Run the newer program that migrated it.`,
  );
}

/** Brings the schema up to date, all of it or nothing. Any number of servers may do so at once. */
export async function applySchema(run: Run, schema: string, migrations: readonly Migration[]): Promise<SchemaPlan> {
  await refuseOldServer(run);
  const plan = await planSchema(run, schema, migrations);
  // A server whose user may not create anything can still run on a schema that is there.
  if (plan.pending.length === 0) return plan;
  await run(`BEGIN; SET LOCAL lock_timeout = ${MIGRATION_LOCK_TIMEOUT_MS}`);
  try {
    await run("SELECT pg_advisory_xact_lock($1::int, hashtext($2))", [MIGRATION_LOCKS, schema]);
    await run(`CREATE SCHEMA IF NOT EXISTS ${quoted(schema)}; SET LOCAL search_path TO ${quoted(schema)}`);
    await run(`CREATE TABLE IF NOT EXISTS migration (
      version    bigint PRIMARY KEY,
      name       text NOT NULL,
      breaking   boolean NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`);
    const { pending } = await planSchema(run, schema, migrations);
    for (const { version, name, breaking, sql } of pending) {
      await run(sql);
      await run("INSERT INTO migration (version, name, breaking) VALUES ($1, $2, $3)", [
        version,
        name,
        Number(breaking),
      ]);
    }
    await run("COMMIT");
    return plan;
  } catch (error) {
    await run("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

async function refuseOldServer(run: Run): Promise<void> {
  const [number] = await run("SHOW server_version_num", []);
  if (Number(number?.server_version_num) >= OLDEST_SERVER.number) return;
  const [name] = await run("SHOW server_version", []);
  throw new StoreRefused(
    `This is PostgreSQL ${name?.server_version}, and Capstan needs ${OLDEST_SERVER.name} or newer. Upgrade it, or use another database.`,
  );
}

/** How often a running server looks at the schema by itself. */
const CHECK_MS = 5_000;

/** Keeps a server from going on when a newer program has migrated the schema under it. */
export class SchemaGuard {
  readonly #run: Run;
  readonly #schema: string;
  readonly #migrations: readonly Migration[];
  #refused: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(run: Run, schema: string, migrations = readMigrations("postgres")) {
    this.#run = run;
    this.#schema = schema;
    this.#migrations = migrations;
  }

  start(): void {
    this.#timer = setInterval(() => this.refresh().catch(() => undefined), CHECK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @throws StoreUnavailable when the last look found a schema that this program could misread */
  check(): void {
    if (this.#refused !== undefined) throw new StoreUnavailable(this.#refused);
  }

  /**
   * Looks at the schema. Returns its version.
   *
   * @throws StoreUnavailable when this program could misread it, or it is gone
   */
  async refresh(): Promise<number> {
    try {
      const { current } = await planSchema(this.#run, this.#schema, this.#migrations);
      this.#refused = current === 0 ? `Schema ${this.#schema} is gone. Restore a backup.` : undefined;
      this.check();
      return current;
    } catch (error) {
      if (!(error instanceof StoreRefused)) throw error;
      this.#refused = error.message;
      throw new StoreUnavailable(error.message);
    }
  }
}
