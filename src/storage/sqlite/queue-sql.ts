import type { WorkState } from "../../core/transitions.ts";
import type { Database, Row, Statement, Value } from "./driver.ts";

/** Rounded up to a power of two, so that few statements serve all limits; a batch has few claims. */
const LEAST_ROWS = 16;

/**
 * A query that ends with its limit. Bound as a value, it would make SQLite plan the query anew for each other one, which
 * takes longer than the query.
 */
export class LimitedQuery {
  readonly #database: Database;
  readonly #sql: string;
  readonly #statements = new Map<number, Statement>();

  /** @param sql without its LIMIT */
  constructor(database: Database, sql: string) {
    this.#database = database;
    this.#sql = sql;
  }

  /** At least the first `rows` rows, if there are so many. */
  first(rows: number, ...values: Value[]): Row[] {
    const limit = Math.max(LEAST_ROWS, 2 ** Math.ceil(Math.log2(rows)));
    let statement = this.#statements.get(limit);
    if (statement === undefined) {
      statement = this.#database.prepare(`${this.#sql} LIMIT ${limit}`);
      this.#statements.set(limit, statement);
    }
    return statement.all(...values) as Row[];
  }
}

/** The partial indexes that hold the queued items between them, and the condition of each. */
const QUEUED = {
  work_ready: "state = 'queued' AND delivered_at IS NULL AND available_at IS NULL",
  work_delivered: "state = 'queued' AND delivered_at IS NOT NULL",
  work_delayed: "state = 'queued' AND available_at IS NOT NULL",
};

/**
 * How the queue is read. Each statement names its partial index: without statistics, which a young database has none of,
 * SQLite may prefer the index over all items and read past every stopped one.
 */
export const QUEUE_SQL = {
  /** Never delivered: in claim order, so that the first entry is the next item however many wait behind it. */
  ready: `SELECT id FROM work INDEXED BY work_ready WHERE environment_id = ?
    AND ${QUEUED.work_ready} ORDER BY id`,
  /** Delivered and not acknowledged until an instant. */
  delivered: `SELECT id FROM work INDEXED BY work_delivered WHERE environment_id = ?
    AND ${QUEUED.work_delivered} AND delivered_at <= ? ORDER BY id`,
  /** Released with a delay that is over at an instant. */
  delayed: `SELECT id FROM work INDEXED BY work_delayed WHERE environment_id = ?
    AND ${QUEUED.work_delayed} AND available_at <= ? ORDER BY id`,
  /** Whatever a sweeper has to look at by an instant. */
  due: `SELECT id FROM work INDEXED BY work_due WHERE sweep_at IS NOT NULL AND sweep_at <= ?
    ORDER BY sweep_at LIMIT ?`,
  hasSession: `SELECT 1 FROM session INDEXED BY session_environment WHERE environment_id = ? AND deleted_at IS NULL
    LIMIT 1`,
  toolResult: `SELECT 1 FROM event INDEXED BY event_tool_result WHERE session_id = ?
    AND json_extract(payload, '$.tool_use_id') = ? AND type = 'user.tool_result'`,
} as const;

const queuedItems = Object.entries(QUEUED)
  .map(([index, condition]) => `SELECT * FROM work INDEXED BY ${index} WHERE ${condition}`)
  .join(" UNION ALL ");
const LEASED = "(SELECT * FROM work INDEXED BY work_due WHERE sweep_at IS NOT NULL)";

/**
 * Where a list of the items in a state comes from. The items of a queue that was worked off a million times are nearly all
 * stopped: whoever asks for others would read past all of those, on the event loop.
 */
export const ITEMS_IN: Readonly<Record<WorkState, string>> = {
  queued: `(${queuedItems})`,
  starting: LEASED,
  active: LEASED,
  stopping: LEASED,
  stopped: "work",
};
