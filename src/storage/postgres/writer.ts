import { INPUT_EVENT_TYPES } from "../../core/event-types.ts";
import type { Changes } from "../../core/unit.ts";
import { arrayOf } from "./arrays.ts";
import type { LoadedRows } from "./loaded.ts";
import type { RoundTrip } from "./round-trip.ts";
import type { Sql } from "./sql.ts";
import type { Change, PgTable, PgTables, Values } from "./tables.ts";

/** Writes what a batch has decided: one statement for each table and kind of change, however many rows. */
export class Writer {
  readonly #tables: PgTables;
  readonly #insertVersions: Sql;
  readonly #markProcessed: Sql;

  constructor(tables: PgTables, schema: string) {
    this.#tables = tables;
    const { name, text } = tables.agentVersion.insertSql;
    this.#insertVersions = { name, text: `${text} ON CONFLICT DO NOTHING` };
    this.#markProcessed = {
      name: "mark_processed",
      text: `UPDATE ${schema}.event AS kept SET processed_at = mark.at
        FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS mark (session_id, after, through, at)
        WHERE kept.session_id = mark.session_id AND kept.id > mark.after AND kept.id <= mark.through
          AND kept.processed_at IS NULL AND kept.type IN (${INPUT_EVENT_TYPES.map((type) => `'${type}'`).join(", ")})`,
    };
  }

  write(trip: RoundTrip, changes: Changes, loaded: LoadedRows): void {
    const run: Run = (sql, values) => trip.add(sql, values);
    const { created } = changes;
    const tables = this.#tables;
    const [retired, works] = partition(changes.works, ({ id }) => loaded.retired.has(id));
    write(run, tables.environment, [...changes.environments.values()], created, (id) => loaded.environment(id));
    write(run, tables.session, [...changes.sessions.values()], created, (id) => loaded.session(id));
    write(run, tables.work, works, created, (id) => loaded.work(id));
    write(run, tables.retired, retired, created, (id) => loaded.work(id));
    write(run, tables.token, [...changes.tokens.values()], created, (id) => loaded.token(id));
    write(run, tables.agent, [...changes.agents.values()], created, (id) => loaded.agent(id));
    const { agentVersions } = changes;
    if (agentVersions.length > 0)
      run(this.#insertVersions, tables.agentVersion.insertValues(rowsOf(tables.agentVersion, agentVersions)));
    if (changes.events.length > 0) insert(run, tables.event, rowsOf(tables.event, changes.events));
    if (changes.marks.length > 0) {
      const { marks } = changes;
      run(this.#markProcessed, [
        arrayOf(marks.map((mark) => mark.sessionId)),
        arrayOf(marks.map((mark) => mark.after ?? "")),
        arrayOf(marks.map((mark) => mark.through)),
        arrayOf(marks.map((mark) => mark.at)),
      ]);
    }
  }
}

type Run = (sql: Sql, values: readonly string[]) => void;

function write<Record extends { readonly id: string }>(
  run: Run,
  table: PgTable<Record>,
  records: readonly Record[],
  created: ReadonlySet<string>,
  before: (id: string) => Record | undefined,
): void {
  const fresh: Values[] = [];
  const everyday: Change[] = [];
  const others: Change[] = [];
  for (const record of records) {
    const after = table.row(record);
    const old = created.has(record.id) ? undefined : before(record.id);
    if (old === undefined) {
      fresh.push(after);
      continue;
    }
    const change = { before: table.row(old), after };
    (table.isEveryday(change) ? everyday : others).push(change);
  }
  // Updates first: an item that stops makes room for the next one of its session.
  update(run, table, everyday);
  update(run, table, others);
  if (fresh.length > 0) insert(run, table, fresh);
}

function update(run: Run, table: Pick<PgTable<never>, "updateOf">, changes: readonly Change[]): void {
  const statement = table.updateOf(changes);
  if (statement !== undefined) run(statement.sql, statement.values);
}

function insert(run: Run, table: Pick<PgTable<never>, "insertOf">, rows: readonly Values[]): void {
  const { sql, values } = table.insertOf(rows);
  run(sql, values);
}

const rowsOf = <Record extends { readonly id: string }>(table: PgTable<Record>, records: readonly Record[]): Values[] =>
  records.map((record) => table.row(record));

function partition<T>(records: ReadonlyMap<string, T>, first: (record: T) => boolean): [T[], T[]] {
  const parts: [T[], T[]] = [[], []];
  for (const record of records.values()) parts[first(record) ? 0 : 1].push(record);
  return parts;
}
