import type { Clock } from "../../core/clock.ts";
import type { Needs } from "../../core/unit.ts";
import type { Row } from "../rows/index.ts";
import { arrayOf } from "./arrays.ts";
import type { ClaimFloors } from "./claim-floors.ts";
import { Claims } from "./claims.ts";
import type { Client, Connections } from "./connection.ts";
import { LoadedRows } from "./loaded.ts";
import { ENVIRONMENT_LOCKS, environmentKey, type Locks, type MissingLocks } from "./locks.ts";
import type { ReadSql } from "./read-sql.ts";
import type { RoundTrip, Take } from "./round-trip.ts";
import type { Sql } from "./sql.ts";
import { SweepFloor } from "./sweep-floor.ts";
import type { PgTables } from "./tables.ts";

/** Reads, and locks, what a batch needs: all statements are sent at once, and one round trip brings all answers. */
export class Loader {
  readonly #connections: Connections;
  readonly #tables: PgTables;
  readonly #sql: ReadSql;
  readonly #floors: ClaimFloors;
  readonly #sweepFloor = new SweepFloor();
  readonly #clock: Clock | undefined;

  constructor(connections: Connections, tables: PgTables, sql: ReadSql, floors: ClaimFloors, clock: Clock | undefined) {
    this.#connections = connections;
    this.#tables = tables;
    this.#sql = sql;
    this.#floors = floors;
    this.#clock = clock;
  }

  /** @param trip holds what begins the transaction */
  async load(client: Client, trip: RoundTrip, needs: Needs, locks: Locks): Promise<LoadedRows> {
    const loaded = new LoadedRows(this.#tables, locks.works);
    const claims = new Claims(this.#sql, this.#floors, needs.claims, sorted(locks.works));
    this.#ask(trip, loaded, needs, locks, claims);
    await trip.run(client);
    await this.#missing(client, loaded, needs, claims);
    return loaded;
  }

  /** Locks more rows, and reads them again, without waiting for anybody. Returns whether it got them all. */
  async lockMore(client: Client, loaded: LoadedRows, missing: MissingLocks): Promise<boolean> {
    if (missing.environments.length + missing.agents.length > 0) return false;
    const trip = this.#connections.roundTrip();
    addFor(trip, new Set(missing.sessions), this.#sql.tryLockSessions, (rows) => loaded.sessions.add(rows, true));
    addFor(trip, new Set(missing.works), this.#sql.tryLockWorks, (rows) => loaded.works.add(rows, true));
    this.#readNow(trip, loaded);
    await trip.run(client);
    const { sessions, works } = missing;
    return sessions.every((id) => loaded.sessions.isLocked(id)) && works.every((id) => loaded.works.isLocked(id));
  }

  /** After the commit: where the next claims and sweeps begin. */
  remember({ heads, firstDue, now, moment }: LoadedRows): void {
    for (const [environmentId, seen] of heads) this.#floors.raise(environmentId, seen, now, moment);
    if (firstDue !== undefined) this.#sweepFloor.raise(firstDue.at, now);
  }

  #readNow(trip: RoundTrip, loaded: LoadedRows): void {
    trip.add(this.#sql.now, [this.#clock?.now() ?? null], ([row]) => {
      loaded.now = row?.now as number;
    });
  }

  #ask(trip: RoundTrip, loaded: LoadedRows, needs: Needs, locks: Locks, claims: Claims): void {
    // In the order of `Locks`. Whatever is only read comes after the locks that keep it still.
    this.#environmentLocks(trip, needs, locks);
    this.#sessionsAndWorks(trip, loaded, needs, locks);
    if (needs.sweepLimit > 0) this.#due(trip, loaded, needs.sweepLimit);
    this.#others(trip, loaded, needs, locks);
    claims.ask(trip, loaded);
    this.#readNow(trip, loaded);
  }

  #environmentLocks(trip: RoundTrip, needs: Needs, locks: Locks): void {
    const alone = new Map<number, number>();
    for (const id of needs.joined) alone.set(environmentKey(id), 0);
    for (const id of locks.environments) alone.set(environmentKey(id), 1);
    if (alone.size === 0) return;
    const keys = [...alone.keys()].sort((a, b) => a - b);
    const values = [ENVIRONMENT_LOCKS, arrayOf(keys), arrayOf(keys.map((key) => alone.get(key) as number))];
    trip.add(this.#sql.environmentLocks, values, () => undefined);
  }

  #sessionsAndWorks(trip: RoundTrip, loaded: LoadedRows, needs: Needs, locks: Locks): void {
    const sql = this.#sql;
    const { sessions, works } = loaded;
    if (locks.sessions.size + needs.turns.size > 0) {
      const values = [sorted(locks.sessions), sorted(needs.turns)];
      trip.add(sql.lockSessions, values, (rows) => sessions.add(rows, true));
    }
    addFor(trip, locks.works, sql.lockWorks, (rows) => works.add(rows, true));
    const others = [...needs.works].filter((id) => !needs.turns.has(id));
    addFor(trip, new Set(others), sql.sessionsOfWorks, (rows) => sessions.add(rows, false));
    addFor(trip, needs.sessions, sql.liveWorks, (rows) => works.add(rows, false));
  }

  #due(trip: RoundTrip, loaded: LoadedRows, limit: number): void {
    const { from } = this.#sweepFloor;
    trip.add(this.#sql.firstDue, [from], ([row]) => {
      loaded.firstDue = { at: (row?.sweep_at as number | undefined) ?? null };
    });
    const values = [this.#clock?.now() ?? null, limit, from];
    trip.add(this.#sql.lockDueSessions, values, (rows) => loaded.sessions.add(rows, true));
    trip.add(this.#sql.lockDueWorks, values, (rows) => {
      const ours = rows.filter((row) => loaded.sessions.isLocked(row.session_id as string));
      loaded.works.add(ours, true);
      loaded.dueIds = ours.map((row) => row.id as string);
    });
  }

  #others(trip: RoundTrip, loaded: LoadedRows, needs: Needs, locks: Locks): void {
    const sql = this.#sql;
    const alone = (row: Row) => locks.environments.has(row.id as string);
    const environments: Take = (rows) => {
      loaded.environments.add(rows.filter(alone), true);
      loaded.environments.add(rows, false);
    };
    if (needs.environments.size + locks.environments.size + needs.sessions.size > 0) {
      const ids = sorted(new Set([...needs.environments, ...locks.environments]));
      trip.add(sql.environments, [ids, sorted(needs.sessions)], environments);
    }
    addFor(trip, locks.tokens, sql.lockTokens, (rows) => loaded.tokens.add(rows, true));
    addFor(trip, locks.agents, sql.lockAgents, (rows) => loaded.agents.add(rows, true));
    addFor(trip, needs.agents, sql.agents, (rows) => loaded.agents.add(rows, false));
    if (needs.agentVersions.length > 0) {
      const ids = arrayOf(needs.agentVersions.map(({ agentId }) => agentId));
      const versions = arrayOf(needs.agentVersions.map(({ version }) => version));
      trip.add(sql.agentVersions, [ids, versions], (rows) => {
        for (const row of rows) {
          loaded.agentVersions.set(`${row.id} ${row.version}`, this.#tables.agentVersion.table.record(row));
        }
      });
    }
    addFor(trip, needs.sessionCounts, sql.environmentsWithSessions, (rows) => {
      for (const row of rows) loaded.environmentsWithSessions.add(row.id as string);
    });
    if (needs.toolResults.length === 0) return;
    const sessions = arrayOf(needs.toolResults.map(({ sessionId }) => sessionId));
    const toolUses = arrayOf(needs.toolResults.map(({ toolUseId }) => toolUseId));
    trip.add(sql.toolResults, [sessions, toolUses], (rows) => {
      for (const row of rows) loaded.toolResults.add(`${row.session_id} ${row.tool_use_id}`);
    });
  }

  /** What only shows now: rows of items that have been retired, environments of what a sweep found, claims that are due. */
  async #missing(client: Client, loaded: LoadedRows, needs: Needs, claims: Claims): Promise<void> {
    const retired = [...needs.works].filter((id) => !loaded.works.has(id));
    const environments = new Set<string>();
    for (const { environmentId } of loaded.due()) environments.add(environmentId);
    const unknown = [...environments].filter((id) => !loaded.environments.has(id));
    const trip = this.#connections.roundTrip();
    addFor(trip, new Set(retired), this.#sql.lockRetired, (rows) => {
      loaded.works.add(rows, true);
      for (const row of rows) loaded.retired.add(row.id as string);
    });
    if (unknown.length > 0) {
      trip.add(this.#sql.environments, [sorted(unknown), arrayOf([])], (rows) => {
        loaded.environments.add(rows, false);
      });
    }
    claims.askDue(trip, loaded);
    if (!trip.isEmpty) await trip.run(client);
  }
}

const sorted = (ids: Iterable<string>): string => arrayOf([...ids].sort());

function addFor(trip: RoundTrip, ids: ReadonlySet<string>, sql: Sql, take: Take): void {
  if (ids.size > 0) trip.add(sql, [sorted(ids)], take);
}
