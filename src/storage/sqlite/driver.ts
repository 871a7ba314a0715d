import type { DatabaseSync } from "@photostructure/sqlite";

export type Database = InstanceType<typeof DatabaseSync>;
export type Statement = ReturnType<Database["prepare"]>;
export type Value = null | number | string;
export type Row = Record<string, Value>;

type Driver = { DatabaseSync: typeof DatabaseSync };

/**
 * Node's own SQLite where it is stable, else a package with the same API whose binaries are part of the package, so that
 * an install needs neither a compiler nor a download.
 */
export async function loadDriver(): Promise<Driver> {
  const major = Number(process.versions.node.split(".")[0]);
  const name = major >= 24 ? "node:sqlite" : "@photostructure/sqlite";
  return (await import(name)) as Driver;
}

/** Primary result codes (https://www.sqlite.org/rescode.html): the low byte of what the driver reports. */
export const SQLITE = {
  busy: 5,
  readonly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

export function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}
