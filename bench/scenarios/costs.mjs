/** What a cycle and a heartbeat cost the database. It is counted and not timed, so other load on the machine matters little. */
import { DURABILITY, statementCalls, walBytes } from "../servers/postgres.mjs";
import { round } from "../support/statistics.mjs";
import { DATABASE, PLACEMENTS, placementText, startPlace } from "./postgres-place.mjs";

export const costs = {
  summary: "statements and bytes of log that a cycle and a heartbeat cost PostgreSQL",
  options: {
    workers: { type: "string", default: "1,16,64" },
    replicas: { type: "string", default: "1" },
  },
  async run(options) {
    const { version, rows } = await measureCosts(options);
    for (const row of rows) console.log(JSON.stringify(row));
    return {
      kept_as: `costs-postgres-${options.replicas}`,
      database: `PostgreSQL ${version}`,
      durability: DURABILITY,
      placement: placementText(PLACEMENTS.shared),
      replicas: Number(options.replicas),
      rows,
    };
  },
};

export async function measureCosts(options) {
  const replicas = Number(options.replicas);
  const rows = [];
  let version;
  for (const workers of options.workers.split(",").map(Number)) {
    const place = await startPlace(options, { replicas, workers, kinds: ["cycle", "beats"], counting: true });
    try {
      version = place.postgres.version;
      const cycle = await cost(place, "cycle", "cycles_with_warm_up");
      rows.push({ workers, cycle, heartbeat: await cost(place, "beats", "beats") });
    } finally {
      await place.stop();
    }
  }
  return { version, rows };
}

async function cost({ postgres, ask }, name, unit) {
  // Whatever pages a checkpoint makes the log hold whole are in it before the count begins.
  await postgres.sql("CHECKPOINT");
  await ask(name, { warmMs: 0, ms: 2_000 });
  const before = [await walBytes(postgres), await statementCalls(postgres, DATABASE)];
  const { [unit]: units } = await ask(name, { warmMs: 0, ms: 4_000 });
  const after = [await walBytes(postgres), await statementCalls(postgres, DATABASE)];
  return {
    counted: units,
    wal_bytes: round((after[0] - before[0]) / units),
    statements: round((after[1] - before[1]) / units),
  };
}
