import type { Changes, Loaded, Needs } from "../../core/unit.ts";
import type { Backend } from "../batcher.ts";
import { StoreUnavailable } from "../store.ts";
import { type ClaimFloors, firstKeys } from "./claim-floors.ts";
import type { Client, Connections } from "./connection.ts";
import { isRolledBack, unavailable, unavailableAtCommit } from "./errors.ts";
import type { LoadedRows } from "./loaded.ts";
import type { Loader } from "./loader.ts";
import { Locks } from "./locks.ts";
import type { PostgresLimits } from "./options.ts";
import type { PollerNotes } from "./pollers.ts";
import { type Sql, sql, untilItsEnd } from "./sql.ts";
import type { Writer } from "./writer.ts";

/** How often a batch is done again that the database has rolled back, or that changed what it had not locked. */
const MAX_ATTEMPTS = 5;

export interface BackendParts {
  readonly connections: Connections;
  readonly loader: Loader;
  readonly writer: Writer;
  readonly pollers: PollerNotes;
  readonly floors: ClaimFloors;
  readonly limits: PostgresLimits;
}

/**
 * The write side: one batch, one transaction, two round trips. The first begins, locks and reads (seldom it takes one
 * more, for what only shows then); then everything is decided in memory; the second writes and commits. Batches of this and
 * of other servers run side by side.
 */
export class PostgresBackend implements Backend {
  readonly #parts: BackendParts;
  readonly #settings: Sql;
  /** Environments whose last claim left items behind that others hold, or that were more than were asked for. */
  readonly leftBehindIn = new Set<string>();

  constructor(parts: BackendParts) {
    this.#parts = parts;
    this.#settings = settingsSql(parts.limits);
  }

  async transact(needs: Needs, decide: (loaded: Loaded) => Changes): Promise<void> {
    const locks = new Locks(needs);
    try {
      for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
        const outcome = await this.#attempt(needs, locks, decide);
        if (outcome === "done") return;
        if (outcome !== "again" && attempt === MAX_ATTEMPTS) throw outcome;
      }
      throw new StoreUnavailable("The database is too busy with the same rows.");
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** `again`: it changed what it had not locked, which is locked the next time. An error: it certainly did not happen. */
  async #attempt(needs: Needs, locks: Locks, decide: (loaded: Loaded) => Changes): Promise<"done" | "again" | Error> {
    try {
      return await this.#parts.connections.use(async (client) => {
        const loaded = await rollingBack(client, () => this.#load(client, needs, locks));
        const changes = await rollingBack(client, () => this.#decide(client, loaded, locks, decide));
        if (changes === undefined) {
          await client.query("ROLLBACK");
          return "again";
        }
        await rollingBack(client, () => this.#commit(client, changes, loaded));
        this.#remember(needs, loaded, changes);
        return "done";
      });
    } catch (error) {
      if (isRolledBack(error)) return error as Error;
      throw error;
    }
  }

  /** The changes, or `undefined` when they need a lock that somebody else has. */
  async #decide(
    client: Client,
    loaded: LoadedRows,
    locks: Locks,
    decide: (loaded: Loaded) => Changes,
  ): Promise<Changes | undefined> {
    for (let round = 1; round <= MAX_ATTEMPTS; round++) {
      const changes = decide(loaded);
      const missing = locks.extend(changes, (id) => isLocked(loaded, id));
      if (missing === undefined) return changes;
      if (!(await this.#parts.loader.lockMore(client, loaded, missing))) return undefined;
    }
    return undefined;
  }

  #load(client: Client, needs: Needs, locks: Locks): Promise<LoadedRows> {
    const { loader, connections } = this.#parts;
    const trip = connections.roundTrip();
    trip.add(BEGIN);
    trip.add(this.#settings);
    return loader.load(client, trip, needs, locks);
  }

  async #commit(client: Client, changes: Changes, loaded: LoadedRows): Promise<void> {
    const { connections, writer, pollers } = this.#parts;
    const notes = pollers.take();
    const trip = connections.roundTrip();
    writer.write(trip, changes, loaded);
    pollers.write(trip, notes);
    trip.add(COMMIT);
    try {
      const command = await trip.run(client);
      if (command !== "COMMIT") throw new Error(`the database answered COMMIT with ${command}`);
    } catch (error) {
      pollers.giveBack(notes);
      // What may be done again is for the caller of this to see.
      throw isRolledBack(error) ? error : unavailableAtCommit(error);
    }
  }

  #remember(needs: Needs, loaded: LoadedRows, changes: Changes): void {
    const { floors } = this.#parts;
    this.#parts.loader.remember(loaded);
    for (const [environmentId, key] of firstKeys(changes.works.values())) floors.arrived(environmentId, key);
    for (const { environmentId } of needs.claims) {
      if (loaded.leftBehind(environmentId)) this.leftBehindIn.add(environmentId);
      else this.leftBehindIn.delete(environmentId);
    }
  }
}

/** Ids carry their kind, so that one question fits all tables. */
const isLocked = (loaded: LoadedRows, id: string): boolean =>
  loaded.sessions.isLocked(id) ||
  loaded.works.isLocked(id) ||
  loaded.environments.isLocked(id) ||
  loaded.agents.isLocked(id);

async function rollingBack<T>(client: Client, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // When not even this gets through, the connection is gone, and the database rolls back by itself.
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

const BEGIN = sql("begin", "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
const COMMIT = sql("commit", "COMMIT");

/**
 * What every transaction is told first. Nothing outlives it, so that a pooler may give each transaction another
 * connection. Plans are made once per connection and never by statistics: see the indexes in the migration.
 */
export function settingsSql(limits: PostgresLimits): Sql {
  const settings = {
    statement_timeout: limits.statementTimeoutMs,
    lock_timeout: limits.lockTimeoutMs,
    idle_in_transaction_session_timeout: limits.idleTransactionTimeoutMs,
    plan_cache_mode: "force_generic_plan",
    enable_seqscan: "off",
    enable_bitmapscan: "off",
    enable_hashjoin: "off",
    enable_mergejoin: "off",
    jit: "off",
  };
  const set = Object.entries(settings).map(([name, value]) => untilItsEnd(name, value));
  return { name: "settings", text: `SELECT ${[...set, DURABLE].join(", ")}` };
}

/** Whatever the database's default is, a commit that is answered is on disk; a stronger setting stays. */
const DURABLE = `CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
  THEN ${untilItsEnd("synchronous_commit", "on")} END`;
