/** The bad days, each with what is done to the servers or to their database. */
import assert from "node:assert/strict";
import type pg from "pg";
import { call } from "../../../crash/calls.ts";
import { eventually } from "../../../support/eventually.ts";
import { badDay, type Day, type DayReport, inProcess, pause, type Replica } from "./day.ts";
import { connected, type Place } from "./place.ts";
import { asProcess, type ReplicaProcess } from "./process.ts";
import { wakeByRoutine } from "./wake.ts";

const HOUR_MS = 3_600_000;

export interface BadDay {
  readonly name: string;
  /** What is done, for the report. */
  readonly story: string;
  run(place: Place): Promise<DayReport>;
}

type Story = (day: Day, place: Place) => Promise<void>;
type Start = (place: Place) => Promise<Replica>[];

function day(name: string, story: string, start: Start, happens: Story): BadDay {
  const run = async (place: Place) => badDay(await Promise.all(start(place)), (of) => happens(of, place));
  return { name, story, run };
}

const servers =
  (count: number): Start =>
  ({ appUrl }) =>
    Array.from({ length: count }, () => inProcess({ url: appUrl }));

const restart = day(
  "PostgreSQL is restarted under load",
  "`pg_ctl stop -m fast`, and started again once every server has noticed",
  servers(2),
  async ({ allSay, readiness }, { server }) => {
    await server.halt("fast");
    await allSay(503);
    for (let look = 0; look < 5; look++) assert.deepEqual(await readiness(), [503, 503]);
    await server.launch();
  },
);

const crash = day(
  "PostgreSQL crashes under load",
  "`pg_ctl stop -m immediate`: it recovers from its log when it starts",
  servers(2),
  async ({ allSay }, { server }) => {
    await server.halt("immediate");
    await allSay(503);
    await server.launch();
  },
);

const terminated = day(
  "its backends are terminated at random",
  "`pg_terminate_backend` on two connections of three servers, 40 times within 2 s",
  servers(3),
  async (_day, { admin }) => {
    for (let round = 0; round < 40; round++) {
      await pause(50);
      await admin.query(
        `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
         WHERE application_name LIKE 'capstan%' ORDER BY random() LIMIT 2) AS chosen`,
      );
    }
  },
);

const paused = day(
  "it is paused for ten seconds",
  "SIGSTOP to every process of PostgreSQL, SIGCONT after 10 s",
  servers(2),
  async ({ allSay }, { server }) => {
    server.signal("SIGSTOP");
    const resumed = pause(10_000).then(() => server.signal("SIGCONT"));
    try {
      await allSay(503, 9_000);
    } finally {
      await resumed;
    }
  },
);

const locked = day(
  "an operator's transaction locks every table for longer than anybody waits",
  "`LOCK TABLE … IN ACCESS EXCLUSIVE MODE`, held for 4 s after every server has noticed",
  servers(2),
  async ({ balancer, allSay }, { url }) => {
    const operator = await connected(url);
    // The load and the operator may wait for each other, and then the database refuses one of them.
    await eventually(() => lockAll(operator));
    const before = balancer.statuses.get(503) ?? 0;
    await allSay(503);
    await pause(4_000);
    assert.ok((balancer.statuses.get(503) ?? 0) > before);
    await operator.query("ROLLBACK");
    await operator.end();
  },
);

async function lockAll(operator: pg.Client): Promise<void> {
  await operator.query("BEGIN");
  try {
    await operator.query("LOCK TABLE capstan.session, capstan.work, capstan.migration IN ACCESS EXCLUSIVE MODE");
  } catch (error) {
    await operator.query("ROLLBACK");
    throw error;
  }
}

const refused = day(
  "no connection can be made any more, and those that there are break",
  "`ALTER ROLE … CONNECTION LIMIT 0` and `pg_terminate_backend` on all, for a second after every server has noticed",
  servers(2),
  async ({ allSay }, { admin, appUrl }) => {
    const { username } = new URL(appUrl);
    await admin.query(`ALTER ROLE ${username} CONNECTION LIMIT 0`);
    await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [username]);
    await allSay(503);
    await pause(1_000);
    await admin.query(`ALTER ROLE ${username} CONNECTION LIMIT -1`);
  },
);

const READERS = 60;
const exhausted = day(
  "a server's connections are exhausted",
  `a pool of 3 connections, ${READERS} readers besides the load at once, and a table that nobody may read for 4 s; they get 200, or 503 with retry-after`,
  ({ appUrl }) => [inProcess({ url: appUrl, poolSize: 3, maxWaitingReads: 20 })],
  async ({ replicas }, { url }) => {
    const operator = await connected(url);
    await operator.query("BEGIN");
    await operator.query("LOCK TABLE capstan.agent IN ACCESS EXCLUSIVE MODE");
    const target = (replicas[0] as Replica).url;
    const answers = Promise.all(Array.from({ length: READERS }, () => call(target, "GET", "/agents")));
    await pause(4_000);
    await operator.query("ROLLBACK");
    await operator.end();
    const given = await answers;
    assert.ok(given.some(({ status }) => status === 503));
    for (const { status, headers } of given) {
      assert.ok(status === 200 || (status === 503 && headers.has("retry-after")), `answered ${status}`);
    }
  },
);

const halfOpen = day(
  "the connection that listens is half-open",
  "nothing passes over it any more, and neither end is told; a poll that waits on that server, and a message on the other one",
  ({ appUrl, line }) => [
    line().then(async ({ proxy, url }) =>
      Object.assign(await inProcess({ url: appUrl, listenUrl: url }), { cut: () => proxy.goDead() }),
    ),
    inProcess({ url: appUrl }),
  ],
  async ({ replicas }) => {
    const [deaf, other] = replicas as [Replica & { cut(): void }, Replica];
    await wakeByRoutine(deaf.url, other.url, () => deaf.cut());
  },
);

const dead = day(
  "every connection of one server is half-open",
  "nothing passes over them any more, and neither end is told; the other server is not concerned",
  ({ appUrl, line }) => [
    line().then(async ({ proxy, url }) => Object.assign(await inProcess({ url }), { cut: () => proxy.goDead() })),
    inProcess({ url: appUrl }),
  ],
  async ({ replicas, readiness }) => {
    (replicas[0] as Replica & { cut(): void }).cut();
    assert.equal((await readiness())[1], 200);
  },
);

const killed = day(
  "servers are killed one after the other and started again",
  "SIGKILL to one of three `capstan serve`, six times within 6 s",
  ({ appUrl }) => Array.from({ length: 3 }, () => asProcess(appUrl)),
  async ({ balancer, replicas }, { appUrl }) => {
    for (let round = 0; round < 6; round++) {
      await pause(300);
      const place = round % replicas.length;
      await (replicas[place] as ReplicaProcess).kill();
      await pause(300);
      replicas[place] = await asProcess(appUrl);
      balancer.targets[place] = replicas[place].url;
    }
  },
);

const wrongClocks = day(
  "the wall clock of one server is an hour ahead, that of another an hour behind",
  "three `capstan serve`; the offset is injected into `Date` before the program is loaded",
  ({ appUrl }) => [asProcess(appUrl, HOUR_MS), asProcess(appUrl), asProcess(appUrl, -HOUR_MS)],
  async (_day, { url }) => {
    await pause(3_000);
    const database = await connected(url);
    const { rows } = await database.query(
      `SELECT count(*)::int AS wrong FROM capstan.event
       WHERE abs(created_at - extract(epoch FROM now()) * 1000000) > 60 * 1000000`,
    );
    await database.end();
    assert.deepEqual(rows, [{ wrong: 0 }]);
  },
);

export const BAD_DAYS: readonly BadDay[] = [
  restart,
  crash,
  terminated,
  paused,
  locked,
  refused,
  exhausted,
  halfOpen,
  dead,
  killed,
  wrongClocks,
];
