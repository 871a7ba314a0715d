/** Capstan on PostgreSQL as the benchmarks use it. */
import { startPostgres } from "../servers/postgres.mjs";
import { startLoad } from "../support/load.mjs";
import { CORES, moveTo, PINNED } from "../support/process.mjs";
import { newToken, prepareQueue, startCapstan } from "../support/servers.mjs";

export const DATABASE = "capstan";

/** Where processes run: cores, or `null` for anywhere. pgbench runs where the servers do. */
export const PLACEMENTS = {
  /** A database of one core at most, whoever uses it. */
  apart: CORES,
  shared: { server: null, database: null, load: null },
};

export const placementText = ({ server, database, load }) =>
  PINNED && database !== null
    ? `servers on core ${server}, database on core ${database}, load generator on core ${load}`
    : "nothing is pinned";

/**
 * Starts servers over a database of their own, and the load in front of them.
 *
 * @param options those of the command line
 * @param kinds of load, each with this many workers
 * @param counting statements are counted
 * @param placement one of the above
 */
export async function startPlace(
  options,
  { replicas, workers, kinds = ["cycle"], counting = false, placement = PLACEMENTS.shared },
) {
  const postgres = await startPostgres({ counting });
  moveTo(placement.database, postgres.pid);
  const databaseUrl = await postgres.createDatabase(DATABASE);
  const adminToken = newToken();
  const servers = [];
  for (let index = 0; index < replicas; index++) {
    servers.push(await startCapstan({ ...options, databaseUrl, adminToken, core: placement.server }));
  }
  const load = startLoad({ core: placement.load });
  const stop = async () => {
    await load.stop();
    for (const server of servers) await server.stop();
    await postgres.stop();
  };
  const queue = await prepareQueue(servers[0]);
  const target = {
    urls: servers.map(({ url }) => url),
    pids: servers.map(({ pid }) => pid),
    databasePid: postgres.pid,
    queue,
  };
  for (const kind of kinds) await load.ask({ action: "open", name: kind, kind, target, count: workers });
  const ask = (name, round) => load.ask({ action: "round", name, options: round });
  return { replicas, postgres, load, ask, stop };
}
