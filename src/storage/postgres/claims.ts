import type { ClaimNeed } from "../../core/unit.ts";
import type { Row } from "../rows/index.ts";
import { arrayOf } from "./arrays.ts";
import type { ClaimFloors } from "./claim-floors.ts";
import type { LoadedRows } from "./loaded.ts";
import type { ReadSql } from "./read-sql.ts";
import type { RoundTrip } from "./round-trip.ts";
import type { Sql } from "./sql.ts";

/** One place to look for what is due: as many items of an environment as it has claims, between two instants. */
interface Due {
  readonly environmentId: string;
  readonly since: number;
  readonly until: number;
}

/** Looks for the items that a batch may hand out, in two steps: most batches need only the first. */
export class Claims {
  readonly #sql: ReadSql;
  readonly #floors: ClaimFloors;
  readonly #claims: readonly ClaimNeed[];
  /** How many claims each environment has. */
  readonly #wanted = new Map<string, number>();
  /** Items that the batch locks anyway. */
  readonly #works: string;

  /** @param works ids, sorted, as one parameter */
  constructor(sql: ReadSql, floors: ClaimFloors, claims: readonly ClaimNeed[], works: string) {
    this.#sql = sql;
    this.#floors = floors;
    this.#claims = claims;
    this.#works = works;
    for (const { environmentId } of claims) {
      this.#wanted.set(environmentId, (this.#wanted.get(environmentId) ?? 0) + 1);
    }
  }

  /** Asks for items that were never delivered, and where each index begins. */
  ask(trip: RoundTrip, loaded: LoadedRows): void {
    if (this.#claims.length === 0) return;
    loaded.moment = this.#floors.moment;
    const environments = [...this.#wanted.keys()];
    const floors = environments.map((id) => this.#floors.of(id));
    const values = [
      this.#works,
      arrayOf(environments),
      arrayOf([...this.#wanted.values()]),
      arrayOf(floors.map((floor) => floor.ready)),
      arrayOf(floors.map((floor) => floor.delivered)),
      arrayOf(floors.map((floor) => floor.delayed)),
    ];
    trip.add(this.#sql.claim, values, (rows) => this.#take(loaded, rows));
  }

  /**
   * Once that is answered: asks for what comes due again, where there is any. The batch's instant stays as it is, although
   * these locks come after it: whoever changed such an item since has moved it out of what is asked for.
   */
  askDue(trip: RoundTrip, loaded: LoadedRows): void {
    const delivered: Due[] = [];
    const windows = new Map(this.#claims.map((claim) => [`${claim.environmentId} ${claim.windowMicros}`, claim]));
    for (const { environmentId, windowMicros } of windows.values()) {
      const since = loaded.heads.get(environmentId)?.delivered ?? Number.POSITIVE_INFINITY;
      const until = loaded.now - windowMicros;
      if (since <= until) delivered.push({ environmentId, since, until });
    }
    const delayed: Due[] = [];
    for (const [environmentId, { delayed: since }] of loaded.heads) {
      if (since !== null && since <= loaded.now) delayed.push({ environmentId, since, until: loaded.now });
    }
    this.#add(trip, loaded, this.#sql.claimDelivered, delivered);
    this.#add(trip, loaded, this.#sql.claimDelayed, delayed);
  }

  #add(trip: RoundTrip, loaded: LoadedRows, sql: Sql, due: readonly Due[]): void {
    if (due.length === 0) return;
    const values = [
      this.#works,
      arrayOf(due.map(({ environmentId }) => environmentId)),
      arrayOf(due.map(({ environmentId }) => this.#wanted.get(environmentId) as number)),
      arrayOf(due.map(({ since }) => since)),
      arrayOf(due.map(({ until }) => until)),
    ];
    trip.add(sql, values, (rows) => loaded.addClaims(rows));
  }

  /** An environment without any such item has one row, which holds none. */
  #take(loaded: LoadedRows, rows: readonly Row[]): void {
    loaded.addClaims(rows.filter((row) => row.id !== null));
    for (const row of rows) {
      const id = row.in_line_of as string;
      if ((row.in_line as number) > (loaded.claims.get(id)?.size ?? 0)) loaded.leftBehindIn.add(id);
      loaded.heads.set(id, {
        ready: row.ready_head as string | null,
        delivered: row.delivered_head as number | null,
        delayed: row.delayed_head as number | null,
      });
    }
  }
}
