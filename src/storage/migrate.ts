import { readdirSync, readFileSync } from "node:fs";
import { StoreRefused } from "./store.ts";

export interface Migration {
  readonly version: number;
  readonly name: string;
  /** Whether a program that does not know it must not go on using the database. */
  readonly breaking: boolean;
  readonly sql: string;
}

/** A migration that older programs can live with says so in its first line. */
const COMPATIBLE = /^-- breaking: no$/m;
const FILE_NAME = /^(\d{4})_([a-z0-9_]+)\.sql$/;

/** The numbered `.sql` files of one dialect, in order and without a gap. */
export function readMigrations(
  dialect: "sqlite" | "postgres",
  folder = new URL(`../../migrations/${dialect}/`, import.meta.url),
): readonly Migration[] {
  const migrations: Migration[] = [];
  for (const file of readdirSync(folder).sort()) {
    const match = FILE_NAME.exec(file);
    if (match === null) throw new Error(`migrations/${dialect}/${file} is not named like 0001_initial.sql`);
    const version = Number(match[1]);
    if (version !== migrations.length + 1) throw new Error(`migrations/${dialect}/${file}: version out of sequence`);
    const sql = readFileSync(new URL(file, folder), "utf8");
    migrations.push({ version, name: match[2] as string, breaking: !COMPATIBLE.test(sql), sql });
  }
  return migrations;
}

/**
 * The migrations that a database at this version still needs.
 *
 * @throws StoreRefused when the database is newer than this program, which could misread it
 */
export function pendingMigrations(
  migrations: readonly Migration[],
  current: number,
  where: string,
): readonly Migration[] {
  if (current > migrations.length) {
    throw new StoreRefused(
      `${where} has schema version ${current}, and this program knows versions up to ${migrations.length}. Run the newer program that wrote it, or restore an older backup.`,
    );
  }
  return migrations.slice(current);
}
