import type { SettingsFor } from "../config/resolve.ts";
import type { ServerOptions } from "../server/options.ts";
import { CommandError } from "./exit-codes.ts";

type ServerSettings = SettingsFor<"serve">;
/** What `capstan dev` leaves at its default. */
type Tuning = Exclude<keyof ServerSettings, keyof SettingsFor<"dev">>;

/**
 * The server's options from the settings.
 *
 * @throws CommandError for a database that this version cannot use.
 */
export function serverOptions(settings: Omit<ServerSettings, Tuning> & Partial<ServerSettings>): ServerOptions {
  const { databaseUrl, ...options } = settings;
  if (databaseUrl === undefined) return options;
  throw new CommandError(
    "usage",
    "--database-url (CAPSTAN_DATABASE_URL) is set, but this version keeps its data in the embedded database only.",
    "Leave it out; --data-dir (CAPSTAN_DATA_DIR) says where the embedded database lives.",
  );
}
