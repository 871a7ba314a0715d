import { listenUrl, onOrOff, postgresUrl, schemaName, wholeNumber } from "./schemas.ts";
import type { Setting } from "./setting.ts";

const setting = <const T extends Setting>(definition: T) => definition;

/** Where the data lives when it is not in the embedded database. */
export const DATABASE_SETTINGS = {
  databaseUrl: setting({
    flag: "--database-url",
    variable: "CAPSTAN_DATABASE_URL",
    placeholder: "<url>",
    schema: postgresUrl,
    summary: "PostgreSQL database to use instead of the embedded one; put a URL with a password into the variable.",
    groups: ["serve", "dev", "store"],
    secret: true,
  }),
  databaseListenUrl: setting({
    flag: "--database-listen-url",
    variable: "CAPSTAN_DATABASE_LISTEN_URL",
    placeholder: "<url>",
    schema: listenUrl,
    summary:
      "Where to listen for other servers when the database URL is a pooler's: the database itself, or none; left out, the database URL.",
    groups: ["serve"],
    secret: true,
  }),
  databaseSchema: setting({
    flag: "--database-schema",
    variable: "CAPSTAN_DATABASE_SCHEMA",
    placeholder: "<name>",
    default: "capstan",
    schema: schemaName,
    summary: "Namespace of the tables in a PostgreSQL database; made when it does not exist.",
    groups: ["serve", "store"],
  }),
  databasePoolSize: setting({
    flag: "--database-pool-size",
    variable: "CAPSTAN_DATABASE_POOL_SIZE",
    placeholder: "<count>",
    default: "10",
    schema: wholeNumber(3, 1_000),
    summary: "Connections to a PostgreSQL database at most, besides the one that listens.",
    groups: ["serve"],
  }),
  databasePrepare: setting({
    flag: "--database-prepare",
    variable: "CAPSTAN_DATABASE_PREPARE",
    placeholder: "<on|off>",
    default: "on",
    schema: onOrOff,
    summary: "Whether statements are prepared; off for poolers that do not keep those of their clients apart.",
    groups: ["serve"],
  }),
} as const;
