import pg from "pg";
import { type Migration, readMigrations } from "../migrate.ts";
import { StoreRefused } from "../store.ts";
import { type ConnectionOptions, clientConfig } from "./connection.ts";
import { isPasswordMissing, sqlState, unavailable } from "./errors.ts";
import { applySchema, planSchema, type Run, type SchemaPlan } from "./schema.ts";

/** How long a migration may take. */
const MIGRATION_TIMEOUT_MS = 600_000;

/**
 * Brings the schema up to date, or with `dryRun` only says what that would take.
 *
 * @throws StoreRefused with a sentence for the operator when the database cannot be used
 */
export async function prepareSchema(
  connection: ConnectionOptions,
  schema: string,
  {
    dryRun = false,
    migrations = readMigrations("postgres"),
  }: { dryRun?: boolean; migrations?: readonly Migration[] } = {},
): Promise<SchemaPlan> {
  const client = new pg.Client({ ...clientConfig(connection), query_timeout: MIGRATION_TIMEOUT_MS });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const run: Run = async (text, values) => (await client.query(text, values && [...values])).rows;
    return await (dryRun ? planSchema : applySchema)(run, schema, migrations);
  } catch (error) {
    throw refusal(error, client, schema);
  } finally {
    await client.end();
  }
}

function refusal(error: unknown, client: pg.Client, schema: string): unknown {
  if (error instanceof StoreRefused) return error;
  const where = `PostgreSQL at ${client.host}:${client.port}`;
  const options = { cause: error };
  const state = sqlState(error);
  // A server that wants the password in another form than SCRAM is sent an empty one, and refuses that.
  if (isPasswordMissing(error) || (state === "28P01" && !client.password)) {
    return new StoreRefused(
      `${where} wants a password of user ${client.user} for database ${client.database}, and the database URL has none. Write it into the URL, as in postgres://user:password@host/database.`,
      options,
    );
  }
  switch (state) {
    case "28P01":
    case "28000":
      return new StoreRefused(
        `${where} does not let user ${client.user} in. Check the user and the password in the database URL.`,
        options,
      );
    case "3D000":
      return new StoreRefused(
        `${where} has no database ${client.database}. Create it, or name another one in the database URL.`,
        options,
      );
    case "42501":
      return new StoreRefused(
        `User ${client.user} may not create schema ${schema} and its tables at ${where}. Grant it CREATE on database ${client.database}, or let another user run the migration.`,
        options,
      );
    case "55P03":
      return new StoreRefused(`${where} is being migrated by somebody else for a long time. Try again.`, options);
  }
  if (unavailable(error) === error) return error;
  const reason = state ?? (error as NodeJS.ErrnoException).code ?? "no answer in time";
  return new StoreRefused(
    `${where} cannot be reached (${reason}). Start it, or check the host and the port in the database URL.`,
    options,
  );
}
