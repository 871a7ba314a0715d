import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { History, type Recorded } from "../support/history.ts";
import { checkItems } from "../support/history-checks.ts";
import { conservation, firstInFirstOut, nothingLost, oneLiveItem } from "../support/history-final.ts";
import { seeded } from "../support/random.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, MESSAGE, ok } from "./support/api.ts";
import { atRest, createSession, type Load, readAll, work } from "./support/load.ts";

const WORKERS = 32;
/** Many more where several servers share the queue: what can go wrong between them is rarer. */
const SESSIONS = (inject("topology")?.replicas ?? 1) > 1 ? 5_000 : 500;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

/** Half of the sessions are there at the start; the others, and more input for the first, come while the workers work. */
async function feed(load: Load, sessions: number): Promise<void> {
  const made: string[] = [];
  const create = async (count: number) => {
    for (let index = 0; index < count; index += 10) {
      const answers = await Promise.all(Array.from({ length: 10 }, () => createSession(load)));
      made.push(...answers.map((answer) => ok(answer).id));
    }
  };
  await create(sessions / 2);
  const workers = Array.from({ length: WORKERS }, (_, index) => work(load, `w${index}`));
  const input = async () => {
    for (let index = 0; index < sessions / 5; index++) {
      const session = made[Math.floor(load.random() * made.length)] ?? "";
      ok(await load.api.send(session, [MESSAGE]));
    }
  };
  try {
    await Promise.all([create(sessions / 2), input()]);
    await eventually(async () => {
      const all = await readAll<{ id: string; state: string }>(load.api, `/environments/${load.environment}/work`);
      expect(all.filter(({ state }) => state !== "stopped")).toHaveLength(0);
    }, 240_000);
  } finally {
    load.ended = true;
    await Promise.all(workers);
  }
}

/** Runs the load to its end, holds its history to every rule but that of the order, and returns it. */
async function run(sessions: number, releases: number): Promise<{ calls: readonly Recorded[]; seed: number }> {
  const api = new Api(server);
  const environment = (await api.environment()).id;
  const seed = Math.floor(Math.random() * 2 ** 32);
  const load: Load = { api, environment, history: new History(), random: seeded(seed), releases, ended: false };
  await feed(load, sessions);
  const rest = await atRest(load);
  const { calls } = load.history;
  const violations = [
    ...checkItems(calls, { lapses: "never" }),
    ...nothingLost(calls, rest),
    ...oneLiveItem(rest),
    ...conservation(calls, rest),
  ];
  expect(violations, `seed ${seed}`).toEqual([]);
  expect(calls.filter(({ status }) => ![200, 409, 412].includes(status))).toEqual([]);
  expect(rest.sessions).toHaveLength(sessions);
  return { calls, seed };
}

test(`${WORKERS} workers, ${SESSIONS} sessions and everything that may go wrong between them break no rule`, {
  timeout: 480_000,
}, async () => {
  const { calls, seed } = await run(SESSIONS, 0.1);
  // A run in which nothing was refused, released or stopped would show little.
  const count = (verb: string, status: number) =>
    calls.filter((call) => call.verb === verb && call.status === status).length;
  for (const [verb, status] of [
    ["ack", 409],
    ["heartbeat", 412],
    ["release", 200],
    ["stop", 200],
  ] as const) {
    expect(count(verb, status), `${verb} ${status}, seed ${seed}`).toBeGreaterThan(10);
  }
});

test("without releases the older of two waiting items is always delivered first", { timeout: 90_000 }, async () => {
  const { calls, seed } = await run(120, 0);
  expect(firstInFirstOut(calls), `seed ${seed}`).toEqual([]);
});
