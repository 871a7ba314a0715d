/**
 * The whole life of a work item over HTTP, against the bare framework answering the same requests. Both run at the same
 * time on the same core and are loaded in turn, so that what the machine does to one it does to the other.
 */
import { startLoad } from "../support/load.mjs";
import { prepareQueue, startBare, startCapstan } from "../support/servers.mjs";
import { round, summary } from "../support/statistics.mjs";
import { verbs } from "./verbs.mjs";

export const cycle = {
  summary: "full durable cycle over HTTP, against a bare Fastify in the same run",
  options: {
    workers: { type: "string", default: "1,16,64,256" },
    repeats: { type: "string", default: "5" },
    seconds: { type: "string", default: "5" },
    store: { type: "string", default: "sqlite" },
    replicas: { type: "string", default: "1" },
    placement: { type: "string", default: "apart" },
  },
  async run(options) {
    const settings = {
      server: options,
      repeats: Number(options.repeats),
      ms: Number(options.seconds) * 1_000,
      warmMs: 1_000,
    };
    if (options.store === "postgres") return (await import("./cycle-postgres.mjs")).cyclePostgres(options, settings);
    if (options.store !== "sqlite") throw new Error("--store is sqlite or postgres.");
    for (const name of ["replicas", "placement"]) {
      if (options[name] !== this.options[name].default) throw new Error(`--${name} goes with --store postgres.`);
    }
    const rows = [];
    for (const count of options.workers.split(",").map(Number)) {
      rows.push(await compare(count, settings));
      console.log(oneLine(rows.at(-1)));
    }
    return {
      durability: "SQLite synchronous=FULL; nothing is answered before its commit is on disk",
      log: "default level, one line per request, into a file",
      requests_per_cycle: 5,
      repeats: settings.repeats,
      seconds_per_repeat: settings.ms / 1_000,
      rows,
    };
  },
};

async function compare(workers, { server, repeats, ms, warmMs }) {
  const servers = [await startCapstan(server), await startBare()];
  const load = startLoad();
  try {
    const queue = await prepareQueue(servers[0]);
    for (const { name, url, pid } of servers) {
      await load.ask({ action: "open", name, kind: "cycle", target: { url, pid, queue }, count: workers });
      // The compiler of the JavaScript engine needs some thousand requests before a server runs at its own speed.
      await load.ask({ action: "round", name, options: { warmMs: 3_000, ms: 1 } });
    }
    const rounds = { capstan: [], bare: [] };
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const { name } of servers) {
        rounds[name].push(await load.ask({ action: "round", name, options: { warmMs, ms } }));
      }
    }
    const audit = await load.ask({ action: "audit", name: "capstan" });
    return row(workers, rounds, audit);
  } finally {
    await load.stop();
    for (const server of servers) await server.stop();
  }
}

function row(workers, { capstan, bare }, audit) {
  const of = (rounds, key) => summary(rounds.map((result) => result[key]));
  const one = (rounds) => ({
    requests_per_second: of(rounds, "requests_per_second"),
    cycles_per_second: of(rounds, "cycles_per_second"),
    server_cpu_ms_per_cycle: of(rounds, "server_cpu_ms_per_cycle"),
    server_cpu_share: of(rounds, "server_cpu_share"),
    load_cpu_share: of(rounds, "load_cpu_share"),
    verbs_ms: verbs(rounds),
  });
  // Each repeat against the one right after it: what disturbs the machine disturbs both.
  const ratios = capstan.map((result, index) => result.requests_per_second / bare[index].requests_per_second);
  return { workers, ratio: summary(ratios), capstan: one(capstan), bare: one(bare), audit };
}

const oneLine = ({ workers, ratio, capstan, bare, audit }) =>
  [
    `${workers} workers: ratio ${ratio.median} (${ratio.min}-${ratio.max})`,
    `capstan ${round(capstan.requests_per_second.median)} requests/s`,
    `${capstan.cycles_per_second.median} cycles/s at ${capstan.server_cpu_ms_per_cycle.median} CPU-ms`,
    `bare ${bare.requests_per_second.median} requests/s at ${bare.server_cpu_ms_per_cycle.median} CPU-ms per five`,
    `load generator ${capstan.load_cpu_share.median}/${bare.load_cpu_share.median} of its core`,
    `lost ${audit.lost}, owned twice ${audit.owned_twice}, refused ${audit.refused}`,
  ].join(", ");
