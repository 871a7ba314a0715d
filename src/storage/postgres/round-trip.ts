import type pg from "pg";
import type { Row, Value } from "../rows/index.ts";
import { sqlState } from "./errors.ts";
import { type Parser, parserOf } from "./parsers.ts";
import type { Sql } from "./sql.ts";

export type Take = (rows: readonly Row[]) => void;

interface Statement {
  readonly sql: Sql;
  readonly values: readonly (string | null)[];
  readonly take: Take;
  readonly rows: Row[];
}

/** The columns of a statement's answer. */
interface Columns {
  readonly names: readonly string[];
  readonly parsers: readonly Parser[];
  /** A row without values: a copy that is filled costs much less than an object that grows. */
  readonly empty: { readonly [column: string]: null };
}

const NO_COLUMNS: Columns = { names: [], parsers: [], empty: {} };

/** What a connection has prepared, by name, and the columns of the answers, where they are known. */
type Prepared = Map<string, Columns | undefined>;
const PREPARED = new WeakMap<object, Prepared>();

/** The parts of the driver's connection that its query classes use. */
interface Connection {
  readonly stream: { cork(): void; uncork(): void; destroy(error?: Error): void };
  parse(statement: { name: string; text: string }): void;
  bind(values: { statement: string; values: readonly (string | null)[] }): void;
  describe(what: { type: "P"; name: "" }): void;
  execute(what: undefined): void;
  sync(): void;
  on(message: "parseComplete", listener: () => void): void;
  off(message: "parseComplete", listener: () => void): void;
}

/**
 * Statements that go to the database together and whose answers come back together. They end with one Sync. The driver's
 * own pipeline puts one behind each statement, which the database answers at once: a packet, a system call on both sides and
 * a turn of the event loop for every statement of a batch, where this needs one for all of them.
 *
 * When one fails, the database skips those behind it, and the transaction waits for its ROLLBACK.
 *
 * The driver calls the methods of a query object: https://node-postgres.com/apis/client#clientquery (Submittable).
 */
export class RoundTrip {
  readonly #statements: Statement[] = [];
  readonly #prepare: boolean;
  #prepared: Prepared = new Map();
  #connection: Connection | undefined;
  /** The statement that the database is answering. */
  #at = 0;
  /** Of that statement, unless the database still has to tell. */
  #columns: Columns | undefined;
  #command = "";
  #resolve: (command: string) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  /** The driver puts a function here that ends its timer for the answer. */
  callback: ((error: Error | null) => void) | undefined;
  readonly #parsed = () => {
    const { name } = this.#current.sql;
    if (!this.#prepared.has(name)) this.#prepared.set(name, undefined);
  };

  /** @param prepare statements stay prepared on their connection */
  constructor(prepare: boolean) {
    this.#prepare = prepare;
  }

  /** Nothing has been added. */
  get isEmpty(): boolean {
    return this.#statements.length === 0;
  }

  /** @param take gets the rows, once all statements are through */
  add(sql: Sql, values: readonly Value[] = [], take: Take = () => undefined): void {
    const texts = values.map((value) => (value === null ? null : String(value)));
    this.#statements.push({ sql, values: texts, take, rows: [] });
  }

  /** Sends the statements, waits for all answers, and gives them to those who take them. Returns the last command's name. */
  async run(client: pg.PoolClient): Promise<string> {
    const command = await new Promise<string>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      client.query(this as unknown as pg.Submittable);
    });
    for (const { take, rows } of this.#statements) take(rows);
    return command;
  }

  submit(connection: Connection): void {
    this.#connection = connection;
    this.#prepared = this.#preparedOn(connection);
    connection.on("parseComplete", this.#parsed);
    // One packet, where each message would be a system call of its own.
    connection.stream.cork();
    const parsing = new Set<string>();
    for (const { sql, values } of this.#statements) {
      const name = this.#prepare ? sql.name : "";
      if (!this.#prepared.has(sql.name) && !parsing.has(name)) {
        connection.parse({ name, text: sql.text });
        if (this.#prepare) parsing.add(name);
      }
      connection.bind({ statement: name, values });
      if (this.#prepared.get(sql.name) === undefined) connection.describe({ type: "P", name: "" });
      connection.execute(undefined);
    }
    connection.sync();
    connection.stream.uncork();
    this.#columns = this.#prepared.get(this.#current.sql.name);
  }

  /** Without statements that stay prepared, every one is new. */
  #preparedOn(connection: Connection): Prepared {
    if (!this.#prepare) return new Map();
    const known = PREPARED.get(connection) ?? new Map();
    PREPARED.set(connection, known);
    return known;
  }

  get #current(): Statement {
    return this.#statements[this.#at] as Statement;
  }

  handleRowDescription({ fields }: { readonly fields: readonly { name: string; dataTypeID: number }[] }): void {
    const names = fields.map(({ name }) => name);
    const parsers = fields.map(({ dataTypeID }) => parserOf(dataTypeID));
    this.#columns = { names, parsers, empty: Object.fromEntries(names.map((name) => [name, null])) };
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    const { names, parsers, empty } = this.#columns as Columns;
    const row: Record<string, Value> = { ...empty };
    for (let index = 0; index < fields.length; index++) {
      const text = fields[index] as string | null;
      if (text !== null) row[names[index] as string] = (parsers[index] as Parser)(text);
    }
    this.#current.rows.push(row);
  }

  handleCommandComplete({ text }: { readonly text: string }): void {
    this.#command = text.split(" ", 1)[0] as string;
    if (this.#prepare) this.#prepared.set(this.#current.sql.name, this.#columns ?? NO_COLUMNS);
    this.#at += 1;
    if (this.#at < this.#statements.length) this.#columns = this.#prepared.get(this.#current.sql.name);
  }

  handleReadyForQuery(): void {
    this.#ended(null);
    this.#resolve(this.#command);
  }

  handleError(error: Error): void {
    // Not an answer of the database: no answer in time, or no connection. Nothing that is sent behind it would be answered.
    if (sqlState(error) === undefined) this.#connection?.stream.destroy();
    this.#ended(error);
    this.#reject(error);
  }

  #ended(error: Error | null): void {
    this.#connection?.off("parseComplete", this.#parsed);
    this.callback?.(error);
  }
}
