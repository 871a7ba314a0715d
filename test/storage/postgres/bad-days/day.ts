/** Servers over one PostgreSQL under load, while somebody does something to them or to it; then everything is checked. */
import { type RunningServer, startServer } from "../../../../src/server/start.ts";
import type { PostgresStoreOptions } from "../../../../src/storage/postgres/options.ts";
import { openPostgresStore } from "../../../../src/storage/postgres/store.ts";
import { feed, work } from "../../../crash/load.ts";
import { checkAll, comeToRest, startLoad } from "../../../crash/run.ts";
import { ADMIN_TOKEN } from "../../../crash/server-process.ts";
import { Balancer } from "../../../support/balancer.ts";
import { eventually } from "../../../support/eventually.ts";
import type { Violation } from "../../../support/history.ts";

const WORKERS = 12;
const FEEDERS = 3;
/** How long the load runs undisturbed before and after. */
const CALM_MS = 500;

/** A server that the day may stop and start again. */
export interface Replica {
  readonly url: string;
  stop(): Promise<unknown>;
}

export interface Day {
  readonly balancer: Balancer;
  readonly replicas: Replica[];
  /** What every server says of itself now, by `/readyz`; 0 for no answer. */
  readiness(): Promise<number[]>;
  /** Waits until every server says this. */
  allSay(status: number, withinMs?: number): Promise<void>;
}

export interface DayReport {
  readonly violations: readonly Violation[];
  readonly wrong: readonly string[];
  readonly statuses: Readonly<Record<string, number>>;
  readonly answered: number;
  readonly items: number;
  /** From the end of what was done until every server was ready and a new session had been worked off. */
  readonly recoveryMs: number;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function inProcess(options: PostgresStoreOptions): Promise<Replica> {
  const server: RunningServer = await startServer(
    { dataDir: "unused", port: 0, adminToken: ADMIN_TOKEN, logLevel: "silent" },
    () => openPostgresStore(options),
  );
  return { url: server.url, stop: () => server.stop() };
}

export async function badDay(replicas: Replica[], happens: (day: Day) => Promise<void>): Promise<DayReport> {
  const balancer = await Balancer.start(replicas.map(({ url }) => url));
  const load = await startLoad({ url: balancer.url } as never, 1 + Math.floor(Math.random() * 1e9));
  const readiness = () => Promise.all(balancer.targets.map(readyz));
  const allSay = (status: number, withinMs?: number) =>
    eventually(async () => {
      const said = await readiness();
      if (said.some((one) => one !== status)) throw new Error(`/readyz says ${said.join()}, not ${status}`);
    }, withinMs);
  const answeredCalls = (): number => load.history.calls.filter(({ status }) => status === 200).length;
  const feeders = Array.from({ length: FEEDERS }, () => feed(load));
  const running = [...feeders, ...Array.from({ length: WORKERS }, (_, index) => work(load, `w${index}`))];
  const story = (async () => {
    await pause(CALM_MS);
    await happens({ balancer, replicas, readiness, allSay });
    const over = performance.now();
    await allSay(200);
    const known = answeredCalls();
    await eventually(() => {
      if (answeredCalls() < known + WORKERS) throw new Error("the work does not go on");
    });
    const recoveryMs = performance.now() - over;
    await pause(CALM_MS);
    return { rest: await comeToRest(load, feeders), recoveryMs };
  })();
  try {
    for (const one of [...running, story]) one.catch(() => undefined);
    // Whoever fails first decides.
    const { rest, recoveryMs } = await Promise.race([story, ...running.map((one) => one.then(() => story))]);
    load.ended = true;
    await Promise.all(running);
    return {
      violations: checkAll(load, rest),
      wrong: balancer.wrong,
      statuses: Object.fromEntries(balancer.statuses),
      answered: answeredCalls(),
      items: rest.works.length,
      recoveryMs,
    };
  } finally {
    load.ended = true;
    load.feeding = false;
    await balancer.close();
    await Promise.all(replicas.map((replica) => replica.stop()));
  }
}

async function readyz(url: string): Promise<number> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(5_000) });
    await answer.arrayBuffer();
    return answer.status;
  } catch {
    return 0;
  }
}
