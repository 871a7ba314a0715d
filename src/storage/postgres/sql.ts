/** A statement by name, so that each connection prepares it once. */
export interface Sql {
  readonly name: string;
  readonly text: string;
}

export const sql = (name: string, text: string): Sql => ({ name, text });

/** Sets something until the transaction ends, in a list of what a SELECT gives. */
export const untilItsEnd = (setting: string, value: string | number): string =>
  `set_config('${setting}', '${value}', true)`;

/**
 * The instant that a batch decides by: the database's clock when the statement came in, which is after the locks before
 * it were granted. A parameter stands in for it in tests.
 */
export const nowSql = (parameter: number): string =>
  `coalesce($${parameter}::bigint, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)`;

/** The keys of an environment's items that were never delivered, from `from` on: its id, then theirs. */
export const inLineSql = (environmentId: string, from: string): string =>
  `kept.queue_key >= ${from} AND kept.queue_key < ${environmentId} || '~'`;
