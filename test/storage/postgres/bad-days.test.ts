import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { ensureBuilt } from "../../support/build.ts";
import { PostgresServer } from "../../support/postgres-server.ts";
import { badDay, type Day, type DayReport, inProcess, pause, type Replica } from "./bad-days/day.ts";
import { asProcess, type ReplicaProcess } from "./bad-days/process.ts";

const HOUR_MS = 3_600_000;
/** A user who owns nothing but what the servers make. */
const APP = "app";
/** Until everything goes on by itself, once the database is back. */
const RECOVERY_MS = 10_000;

let server: PostgresServer;
let admin: pg.Client;
let databases = 0;
let url: string;
beforeAll(async () => {
  await ensureBuilt();
  server = await PostgresServer.start();
  const operator = await connected(server.url());
  await operator.query(`CREATE ROLE ${APP} LOGIN PASSWORD '${new URL(server.url()).password}'`);
  await operator.end();
}, 180_000);
afterAll(() => server.stop());
beforeEach(async () => {
  admin = await connected(server.url());
  const name = `day_${++databases}`;
  await admin.query(`CREATE DATABASE ${name} OWNER ${APP}`);
  url = server.url(name);
});
afterEach(() => admin.end());

async function connected(to: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: to });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

const servers = (count: number) => () => Array.from({ length: count }, () => inProcess({ url }));

const REPORTS: Record<string, DayReport> = {};

/** A day on which everything has to come right again, with nothing lost, done twice or answered falsely. */
function day(name: string, start: () => Promise<Replica>[], happens: (day: Day) => Promise<void>): void {
  test(name, { timeout: 120_000 }, async () => {
    const report = await badDay(await Promise.all(start()), happens);
    REPORTS[name] = report;
    expect(report.violations).toEqual([]);
    expect(report.wrong).toEqual([]);
    expect(report.recoveryMs).toBeLessThan(RECOVERY_MS);
    expect(report.items).toBeGreaterThan(5);
  });
}
afterAll(() => {
  for (const [name, { violations: _, ...report }] of Object.entries(REPORTS)) {
    console.log(name, JSON.stringify(report));
  }
});

day("PostgreSQL is restarted under load", servers(2), async ({ allSay, readiness }) => {
  await server.halt("fast");
  await allSay(503);
  for (let look = 0; look < 5; look++) expect(await readiness()).toEqual([503, 503]);
  await server.launch();
});

day("PostgreSQL crashes under load", servers(2), async ({ allSay }) => {
  await server.halt("immediate");
  await allSay(503);
  await server.launch();
});

day("its backends are terminated at random", servers(3), async () => {
  for (let round = 0; round < 40; round++) {
    await pause(50);
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
       WHERE application_name LIKE 'capstan%' ORDER BY random() LIMIT 2) AS chosen`,
    );
  }
});

day("it is paused for ten seconds", servers(2), async ({ allSay }) => {
  server.signal("SIGSTOP");
  const resumed = pause(10_000).then(() => server.signal("SIGCONT"));
  try {
    await allSay(503, 9_000);
  } finally {
    await resumed;
  }
});

day(
  "an operator's transaction locks every table for longer than anybody waits",
  servers(2),
  async ({ balancer, allSay }) => {
    const operator = await connected(url);
    await operator.query("BEGIN");
    await operator.query("LOCK TABLE capstan.session, capstan.work, capstan.migration IN ACCESS EXCLUSIVE MODE");
    const before = balancer.statuses.get(503) ?? 0;
    await allSay(503);
    await pause(4_000);
    expect(balancer.statuses.get(503) ?? 0).toBeGreaterThan(before);
    await operator.query("ROLLBACK");
    await operator.end();
  },
);

day(
  "no connection can be made any more, and those that there are break",
  () => {
    const limited = new URL(url);
    limited.username = APP;
    return Array.from({ length: 2 }, () => inProcess({ url: limited.href }));
  },
  async ({ allSay }) => {
    await admin.query(`ALTER ROLE ${APP} CONNECTION LIMIT 0`);
    await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [APP]);
    await allSay(503);
    await pause(1_000);
    await admin.query(`ALTER ROLE ${APP} CONNECTION LIMIT -1`);
  },
);

day(
  "servers are killed one after the other and started again",
  () => Array.from({ length: 3 }, () => asProcess(url)),
  async ({ balancer, replicas }) => {
    for (let round = 0; round < 6; round++) {
      await pause(300);
      const place = round % replicas.length;
      await (replicas[place] as ReplicaProcess).kill();
      await pause(300);
      replicas[place] = await asProcess(url);
      balancer.targets[place] = replicas[place].url;
    }
  },
);

day(
  "the wall clock of one server is an hour ahead, that of another an hour behind",
  () => [asProcess(url, HOUR_MS), asProcess(url), asProcess(url, -HOUR_MS)],
  async () => {
    await pause(3_000);
    const database = await connected(url);
    const { rows } = await database.query(
      `SELECT count(*)::int AS wrong FROM capstan.event
       WHERE abs(created_at - extract(epoch FROM now()) * 1000000) > 60 * 1000000`,
    );
    await database.end();
    expect(rows).toEqual([{ wrong: 0 }]);
  },
);
