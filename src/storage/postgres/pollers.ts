import type { Clock } from "../../core/clock.ts";
import { type Micros, msToMicros } from "../../core/time.ts";
import type { Value } from "../rows/index.ts";
import { arrayOf } from "./arrays.ts";
import type { RoundTrip } from "./round-trip.ts";
import type { Sql } from "./sql.ts";
import { nowSql } from "./sql.ts";

/** A worker that polls all the time is written down this often; one that is new, at once. */
const REFRESH_MS = 5_000;
/** Most workers that are remembered here; what polled longest ago goes first. */
const MAX_KNOWN = 20_000;
/** Most workers that one transaction writes down. */
const MAX_NOTES = 500;

export interface PollerNote {
  readonly environmentId: string;
  readonly workerId: string;
}

/**
 * Who polls, for every server to count. A worker that was not seen for a while is noted with the next commit, which its
 * own poll is part of: whoever has an answer counts. After that, one note per worker every few seconds is enough.
 */
export class PollerNotes {
  readonly #upsert: Sql;
  readonly countSql: string;
  readonly #fixedNow: () => Micros | null;
  readonly #refreshMs: number;
  readonly #due = new Map<string, PollerNote>();
  /** When each worker was last written down, by the process's steady clock. */
  readonly #known = new Map<string, number>();

  /** @param clock stands in for the database's clock in tests, where a worker is noted each time */
  constructor(schema: string, clock: Clock | undefined) {
    this.#fixedNow = () => clock?.now() ?? null;
    this.#refreshMs = clock === undefined ? REFRESH_MS : 0;
    this.#upsert = {
      name: "note_pollers",
      text: `INSERT INTO ${schema}.poller (environment_id, worker_id, polled_at)
        SELECT seen.environment_id, seen.worker_id, ${nowSql(3)}
        FROM unnest($1::text[], $2::text[]) AS seen (environment_id, worker_id)
        ON CONFLICT (environment_id, worker_id) DO UPDATE SET polled_at = excluded.polled_at
        WHERE poller.polled_at < excluded.polled_at`,
    };
    this.countSql = `SELECT count(*) AS n FROM ${schema}.poller
      WHERE environment_id = $1 AND polled_at >= ${nowSql(3)} - $2`;
  }

  countValues(environmentId: string, withinMs: number): readonly Value[] {
    return [environmentId, msToMicros(withinMs), this.#fixedNow()];
  }

  note(environmentId: string, workerId: string): void {
    const key = `${environmentId} ${workerId}`;
    const now = performance.now();
    if (now - (this.#known.get(key) ?? Number.NEGATIVE_INFINITY) < this.#refreshMs) return;
    this.#known.delete(key);
    this.#known.set(key, now);
    this.#due.set(key, { environmentId, workerId });
    if (this.#known.size <= MAX_KNOWN) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      this.#due.delete(oldest);
      return;
    }
  }

  /** What the next transaction should write down. Whoever takes it and fails gives it back. */
  take(): readonly PollerNote[] {
    if (this.#due.size === 0) return [];
    const notes: PollerNote[] = [];
    for (const [key, note] of this.#due) {
      if (notes.length === MAX_NOTES) break;
      notes.push(note);
      this.#due.delete(key);
    }
    return notes;
  }

  giveBack(notes: readonly PollerNote[]): void {
    for (const note of notes) this.#due.set(`${note.environmentId} ${note.workerId}`, note);
  }

  /** In one order for all servers, so that two which note the same workers do not wait for each other. */
  write(trip: RoundTrip, notes: readonly PollerNote[]): void {
    if (notes.length === 0) return;
    const key = (note: PollerNote): string => `${note.environmentId} ${note.workerId}`;
    const inOrder = [...notes].sort((a, b) => (key(a) < key(b) ? -1 : 1));
    const environments = arrayOf(inOrder.map((note) => note.environmentId));
    const workers = arrayOf(inOrder.map((note) => note.workerId));
    trip.add(this.#upsert, [environments, workers, this.#fixedNow()]);
  }
}
