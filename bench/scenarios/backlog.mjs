/**
 * What a claim costs from a short and from a long queue, each in a database of its own that nobody has ever analyzed. The
 * two are asked in turn, so that what the machine does to one it does to the other.
 */
import { Connection } from "../load/connection.mjs";
import { queueRequests } from "../load/requests.mjs";
import { DURABILITY, startPostgres } from "../servers/postgres.mjs";
import { familyCpuMs } from "../support/process.mjs";
import { newToken, prepareQueue, startCapstan } from "../support/servers.mjs";
import { percentiles, summary } from "../support/statistics.mjs";
import { PLACEMENTS, placementText } from "./postgres-place.mjs";

const SHARES = { p50: 0.5, p99: 0.99 };
const WARM_CLAIMS = 200;

export const backlog = {
  summary: "a claim from a short and from a long queue on PostgreSQL, before any ANALYZE",
  options: {
    items: { type: "string", default: "1000,1000000" },
    repeats: { type: "string", default: "5" },
    claims: { type: "string", default: "100" },
  },
  async run(options) {
    const [repeats, claims] = [Number(options.repeats), Number(options.claims)];
    const sizes = options.items.split(",").map(Number);
    // Autovacuum analyzes as well.
    const postgres = await startPostgres({ settings: { autovacuum: "off" } });
    const queues = [];
    try {
      for (const items of sizes) queues.push(await fill(postgres, options, items, WARM_CLAIMS + repeats * claims));
      for (const queue of queues) await queue.claims(WARM_CLAIMS);
      const rounds = queues.map(() => []);
      for (let repeat = 0; repeat < repeats; repeat++) {
        for (const [index, queue] of queues.entries()) rounds[index].push(await queue.claims(claims));
      }
      for (const queue of queues) await queue.assertNotAnalyzed();
      return result(postgres, sizes, rounds, { repeats, claims });
    } finally {
      for (const queue of queues) await queue.stop();
      await postgres.stop();
    }
  },
};

function result(postgres, sizes, rounds, { repeats, claims }) {
  const of = (index, key) => summary(rounds[index].map((round) => round[key]));
  const rows = sizes.map((items, index) => ({
    items,
    claim_p50_ms: of(index, "p50"),
    claim_p99_ms: of(index, "p99"),
    database_cpu_ms: of(index, "cpu"),
  }));
  const [first, last] = [rounds[0], rounds.at(-1)];
  const ratio = summary(last.map((round, index) => round.p50 / first[index].p50));
  console.log(rows.map(({ items, claim_p50_ms: p50 }) => `${items} items: p50 ${p50.median} ms`).join(", "));
  console.log(`ratio ${ratio.median} (${ratio.min}-${ratio.max})`);
  return {
    kept_as: "backlog-postgres",
    database: `PostgreSQL ${postgres.version}`,
    durability: DURABILITY,
    placement: placementText(PLACEMENTS.shared),
    repeats,
    claims_per_repeat: claims,
    rows,
    ratio,
  };
}

/** A server over a database of its own, in whose queue this many items wait when the measured claims begin. */
async function fill(postgres, options, items, claims) {
  const database = `queue_${items}`;
  const databaseUrl = await postgres.createDatabase(database);
  const server = await startCapstan({ ...options, databaseUrl, adminToken: newToken(), core: null });
  const queue = await prepareQueue(server);
  await postgres.sqlIn(database, QUEUE_SQL, [queue.environmentId, items + claims]);
  const requests = queueRequests({ host: new URL(server.url).host, ...queue });
  const connection = new Connection(server.url, (error) => {
    throw error;
  });
  await connection.ready();
  const call = (request) =>
    new Promise((resolve, reject) =>
      connection.send(request, (status, body) =>
        status === 200 ? resolve(JSON.parse(body)) : reject(new Error(`A call answered ${status}: ${body}`)),
      ),
    );
  return {
    claims: (count) => timedClaims(postgres, requests, call, count),
    async assertNotAnalyzed() {
      const rows = await postgres.sqlIn(database, ANALYZED_SQL);
      if (rows.length > 0) throw new Error(`${rows[0].relname} was analyzed during the run.`);
    },
    async stop() {
      connection.close();
      await server.stop();
    },
  };
}

/** One after the other; what a worker does with its item is not timed. */
async function timedClaims(postgres, requests, call, count) {
  const times = [];
  let cpu = 0;
  for (let claim = 0; claim < count; claim++) {
    const before = familyCpuMs(postgres.pid);
    const sentAt = performance.now();
    const item = await call(requests.poll("bench"));
    times.push(performance.now() - sentAt);
    cpu += familyCpuMs(postgres.pid) - before;
    await call(requests.stop("bench", item.id));
  }
  return { ...percentiles(times, SHARES), cpu: cpu / count };
}

/** Sessions with one queued item each, as old as ids can be. */
const QUEUE_SQL = `WITH new AS (
    SELECT lpad(to_hex(n), 32, '0') AS id, (extract(epoch FROM now()) * 1000000)::bigint AS at
    FROM generate_series(1, $2::int) AS n), session AS (
    INSERT INTO capstan.session (id, environment_id, metadata, status, live_work_id, active_micros, active_since, created_at, updated_at)
    SELECT 'sess_' || id, $1::text, '{}', 'running', 'work_' || id, 0, at, at, at FROM new)
  INSERT INTO capstan.work_current (id, environment_id, session_id, state, metadata, created_at, hand_out, attempts, heartbeat_floor)
  SELECT 'work_' || id, $1::text, 'sess_' || id, 'queued', '{}', at, 0, 0, 0 FROM new`;

const ANALYZED_SQL = `SELECT relname FROM pg_stat_user_tables
  WHERE schemaname = 'capstan' AND (analyze_count > 0 OR autoanalyze_count > 0)`;
