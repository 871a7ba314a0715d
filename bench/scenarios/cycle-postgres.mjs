/**
 * The whole life of a work item over HTTP on PostgreSQL, against the same five commits made by pgbench on the same
 * database server, in turn, and from the same core.
 */
import { prepareRaw, RAW_CYCLES, rawCycles, requirePgbench } from "../raw/pgbench.mjs";
import { DURABILITY } from "../servers/postgres.mjs";
import { summary } from "../support/statistics.mjs";
import { measureCosts } from "./costs.mjs";
import { PLACEMENTS, placementText, startPlace } from "./postgres-place.mjs";
import { verbs } from "./verbs.mjs";

/** What Capstan is compared with: which of the raw cycles, with how many clients of pgbench. */
const RAW = Object.keys(RAW_CYCLES).flatMap((cycle) => [16, 64].map((clients) => ({ cycle, clients })));
/** For each server, before anything is measured: half as many leave the compiler of the JavaScript engine at work. */
const WARM_CYCLES = 20_000;
const nameOf = ({ cycle, clients }) => `${cycle}, ${clients} clients`;

export async function cyclePostgres(options, { repeats, ms, warmMs }) {
  requirePgbench();
  const placement = PLACEMENTS[options.placement];
  if (placement === undefined) throw new Error(`--placement is one of ${Object.keys(PLACEMENTS).join(", ")}.`);
  const replicas = Number(options.replicas);
  const rows = [];
  let version;
  for (const workers of options.workers.split(",").map(Number)) {
    const place = await startPlace(options, { replicas, workers, placement });
    try {
      const raw = await prepareRaw(place.postgres, options);
      version = place.postgres.version;
      rows.push(await compare({ ...place, raw, core: placement.server }, workers, { repeats, ms, warmMs }));
      console.log(oneLine(rows.at(-1)));
    } finally {
      await place.stop();
    }
  }
  return {
    kept_as: `cycle-postgres-${replicas}-${options.placement}`,
    database: `PostgreSQL ${version}`,
    durability: DURABILITY,
    placement: placementText(placement),
    replicas,
    requests_per_cycle: 5,
    repeats,
    seconds_per_repeat: ms / 1_000,
    rows,
    costs: (await measureCosts(options)).rows,
  };
}

async function compare({ replicas, raw, core, load, ask }, workers, { repeats, ms, warmMs }) {
  for (let done = 0; done < replicas * WARM_CYCLES; ) {
    done += (await ask("cycle", { warmMs: 0, ms: 1_000 })).cycles_with_warm_up;
  }
  const rounds = [];
  const rates = Object.fromEntries(RAW.map((one) => [nameOf(one), []]));
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (const one of RAW) rates[nameOf(one)].push(await rawCycles(raw, one, { seconds: (warmMs + ms) / 1_000, core }));
    rounds.push(await ask("cycle", { warmMs, ms }));
  }
  const audit = await load.ask({ action: "audit", name: "cycle" });
  const of = (key) => summary(rounds.map((result) => result[key]));
  // Each repeat against the ones right before it: what disturbs the machine disturbs all of them.
  const against = (name) => ({
    cycles_per_second: summary(rates[name]),
    ratio: summary(rounds.map((result, index) => result.cycles_per_second / rates[name][index])),
  });
  return {
    workers,
    cycles_per_second: of("cycles_per_second"),
    requests_per_second: of("requests_per_second"),
    raw: Object.fromEntries(Object.keys(rates).map((name) => [name, against(name)])),
    server_cpu_ms_per_cycle: of("server_cpu_ms_per_cycle"),
    database_cpu_ms_per_cycle: of("database_cpu_ms_per_cycle"),
    load_cpu_share: of("load_cpu_share"),
    verbs_ms: verbs(rounds),
    audit,
  };
}

const oneLine = ({ workers, cycles_per_second, raw, server_cpu_ms_per_cycle, database_cpu_ms_per_cycle, audit }) =>
  [
    `${workers} workers: ${cycles_per_second.median} cycles/s`,
    ...Object.entries(raw).map(([name, { ratio, cycles_per_second: rate }]) => {
      return `${ratio.median} (${ratio.min}-${ratio.max}) of ${rate.median}/s (${name})`;
    }),
    `CPU-ms per cycle: servers ${server_cpu_ms_per_cycle.median}, database ${database_cpu_ms_per_cycle.median}`,
    `lost ${audit.lost}, owned twice ${audit.owned_twice}, refused ${audit.refused}`,
  ].join("; ");
