import {
  AGENT,
  AGENT_VERSION,
  ENVIRONMENT,
  EVENT,
  type Row,
  SESSION,
  type Table,
  TOKEN,
  type Value,
  WORK,
} from "./rows/index.ts";
import { StoreRefused } from "./store.ts";

/** Keys of the installation: not a record that anybody sees, but tokens of running items depend on them. */
const SECRET: Table<{ readonly id: string; readonly value: string }> = {
  name: "secret",
  columns: { name: "text", value: "text" },
  values: ({ id, value }) => [id, value],
  record: (row) => ({ id: row.name as string, value: row.value as string }),
};

/** Everything that a store holds, in the order in which it is written down. */
export const ARCHIVED = {
  environment: ENVIRONMENT,
  agent: AGENT,
  agent_version: AGENT_VERSION,
  secret: SECRET,
  token: TOKEN,
  session: SESSION,
  work: WORK,
  event: EVENT,
} as const;
export type ArchivedTable = keyof typeof ARCHIVED;
const TABLES = Object.keys(ARCHIVED) as ArchivedTable[];

export type Counts = Readonly<Record<ArchivedTable, number>>;

/** A store that stands still, as an export or an import sees it. */
export interface StoreArchive {
  /** What it is called in messages, without a password. */
  readonly name: string;
  counts(): Promise<Counts>;
  /** All rows of a table on one snapshot, a {@link Chunk} of them at a time. */
  read(table: ArchivedTable): AsyncIterable<readonly Row[]>;
  write(table: ArchivedTable, rows: readonly Row[]): Promise<void>;
  /** Keeps what was written; without it, closing drops all of it. */
  commit(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Rows that are in memory at once, on their way from one place to another: so many of them, or, where they are long, as many
 * as have so many bytes. One row is always taken, however long it is.
 */
export class Chunk<T> {
  static readonly MAX = { rows: 500, bytes: 8 * 1024 * 1024 } as const;
  #rows: T[] = [];
  #bytes = 0;

  /** Whether a row of this length has to wait until these are through. */
  isFullFor(bytes: number): boolean {
    if (this.#rows.length === 0) return false;
    return this.#rows.length === Chunk.MAX.rows || this.#bytes + bytes > Chunk.MAX.bytes;
  }

  add(row: T, bytes: number): void {
    this.#rows.push(row);
    this.#bytes += bytes;
  }

  /** Hands the rows over and begins anew. */
  take(): T[] {
    const rows = this.#rows;
    this.#rows = [];
    this.#bytes = 0;
    return rows;
  }
}

const FORMAT = "capstan-export";
const VERSION = 1;

/** The first and the last line of an export; between them are rows as `["table", value, value, …]`. */
interface Header {
  readonly format: typeof FORMAT;
  readonly version: number;
}
interface Footer {
  readonly counts: Counts;
}

/** Everything in the store as lines of JSON. */
export async function* exportLines(from: StoreArchive): AsyncGenerator<string> {
  yield JSON.stringify({ format: FORMAT, version: VERSION } satisfies Header);
  for (const table of TABLES) {
    const columns = Object.keys(ARCHIVED[table].columns);
    for await (const rows of from.read(table)) {
      for (const row of rows) yield JSON.stringify([table, ...columns.map((column) => row[column])]);
    }
  }
  yield JSON.stringify({ counts: await from.counts() } satisfies Footer);
}

/**
 * Looks at the first line only.
 *
 * @param name how to call the file in a message
 * @throws StoreRefused when these are no lines of an export that this program reads
 */
export async function checkExport(lines: AsyncIterable<string>, name: string): Promise<void> {
  for await (const line of lines) {
    readHeader(line, name);
    return;
  }
  readHeader(undefined, name);
}

/**
 * Puts an export into an empty store, all of it or nothing, and counts both.
 *
 * @throws StoreRefused when the store is not empty, or the lines are not a whole export
 */
export async function importLines(lines: AsyncIterable<string>, into: StoreArchive): Promise<Counts> {
  await refuseFull(into);
  const chunk = new Chunk<Row>();
  let table: ArchivedTable | undefined;
  let footer: Footer | undefined;
  let number = 0;
  const flush = async (): Promise<void> => {
    const rows = chunk.take();
    if (table !== undefined && rows.length > 0) await into.write(table, rows);
  };
  for await (const line of lines) {
    number += 1;
    if (number === 1) {
      readHeader(line);
      continue;
    }
    const parsed = parse(line, number);
    if (Array.isArray(parsed)) {
      const [name, row] = readRow(parsed, number);
      if (name !== table || chunk.isFullFor(line.length)) await flush();
      table = name;
      chunk.add(row, line.length);
    } else footer = parsed as Footer;
  }
  await flush();
  if (footer === undefined) throw new StoreRefused("The export ends too early. Make it again.");
  const counts = await into.counts();
  refuseDifference(footer.counts, counts);
  await into.commit();
  return counts;
}

async function refuseFull(into: StoreArchive): Promise<void> {
  const counts = await into.counts();
  if (TABLES.every((table) => counts[table] === 0)) return;
  throw new StoreRefused(`${into.name} is not empty. Import into a new one.`);
}

function refuseDifference(expected: Counts, found: Counts): void {
  const table = TABLES.find((name) => expected[name] !== found[name]);
  if (table === undefined) return;
  throw new StoreRefused(
    `The export counts ${expected[table]} rows of ${table}, and ${found[table]} have arrived. Nothing was kept: make the export again.`,
  );
}

function parse(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new StoreRefused(`Line ${number} of the export is damaged. Make it again.`);
  }
}

function readHeader(line: string | undefined, name = "This"): void {
  const { format, version } = headerOf(line);
  if (format !== FORMAT) throw new StoreRefused(`${name} is not an export of Capstan.`);
  if (version !== VERSION)
    throw new StoreRefused(`This export has format ${version}, and this program reads ${VERSION}.`);
}

/** Whatever a first line can be read as. Any file may be meant by mistake. */
function headerOf(line = ""): Partial<Header> {
  try {
    return (JSON.parse(line) ?? {}) as Partial<Header>;
  } catch {
    return {};
  }
}

function readRow([name, ...values]: unknown[], number: number): [ArchivedTable, Row] {
  const table = TABLES.find((candidate) => candidate === name);
  const columns = table === undefined ? [] : Object.keys(ARCHIVED[table].columns);
  if (table === undefined || values.length !== columns.length) {
    throw new StoreRefused(`Line ${number} of the export is damaged. Make it again.`);
  }
  return [table, Object.fromEntries(columns.map((column, index) => [column, values[index] as Value]))];
}
