/** The five commits of a cycle by pgbench, which speaks to the database directly: what SQL of one's own would do. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../support/machine.mjs";
import { startOn } from "../support/process.mjs";

const file = (name) => fileURLToPath(new URL(`./${name}`, import.meta.url));

export const RAW_CYCLES = {
  /** One table with one row for each item: the least that five commits can be. */
  "bare table": { database: "bare_table", schema: file("bare-schema.sql"), script: file("bare-cycle.sql") },
  /** The same rows in the same tables as Capstan writes, so with its constraints and indexes. */
  "same rows": {
    database: "same_rows",
    schema: file("same-rows-schema.sql"),
    script: file("same-rows-cycle.sql"),
    migrated: true,
  },
};

/** @throws when pgbench is not installed, with what to do */
export function requirePgbench() {
  if (spawnSync("pgbench", ["--version"]).status === 0) return;
  throw new Error(
    "pgbench is needed for the comparison. Debian, Ubuntu: apt-get install postgresql-contrib. macOS: brew install libpq, and put its bin folder into PATH.",
  );
}

/** Makes the databases in which the raw cycles work. Resolves with their URLs. */
export async function prepareRaw(postgres, { dist = `${ROOT}dist` }) {
  const urls = {};
  for (const [cycle, { database, schema, migrated }] of Object.entries(RAW_CYCLES)) {
    urls[cycle] = await postgres.createDatabase(database);
    if (migrated) migrate(dist, urls[cycle]);
    await postgres.sqlIn(database, readFileSync(schema, "utf8"));
  }
  return urls;
}

function migrate(dist, url) {
  const env = { ...process.env, CAPSTAN_DATABASE_URL: url };
  const { status, stderr } = spawnSync(process.execPath, [join(dist, "cli/main.js"), "migrate"], { env });
  if (status !== 0) throw new Error(`The schema cannot be made: ${stderr}`);
}

/** Resolves with cycles per second. `core` is where pgbench runs, `null` for anywhere. */
export async function rawCycles(urls, { cycle, clients }, { seconds, core }) {
  const { username, password, hostname, port, pathname } = new URL(urls[cycle]);
  const load = ["-n", "-M", "prepared", "-f", RAW_CYCLES[cycle].script, "-c", clients, "-j", 2, "-T", seconds];
  const where = ["-h", hostname, "-p", port, "-U", username, pathname.slice(1)];
  const child = startOn(core, "pgbench", [...load, ...where].map(String), {
    env: { ...process.env, PGPASSWORD: password },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      said += chunk;
    });
  }
  await new Promise((resolve) => child.once("close", resolve));
  const rate = /tps = ([\d.]+)/.exec(said);
  if (rate === null || / aborted/.test(said)) throw new Error(`pgbench failed: ${said}`);
  return Number(rate[1]);
}
