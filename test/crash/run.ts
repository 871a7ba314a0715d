/** Kills a server under load, again and again, and checks what it has answered against what it still knows. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Session, SessionEvent, Work, WorkQueueStats } from "../../src/contract/shapes.ts";
import { eventually } from "../support/eventually.ts";
import { History, type Violation } from "../support/history.ts";
import { checkItems } from "../support/history-checks.ts";
import { conservation, nothingLost, oneLiveItem, type Rest } from "../support/history-final.ts";
import { seeded } from "../support/random.ts";
import { call, readAll } from "./calls.ts";
import { Gate } from "./gate.ts";
import { type CrashLoad, createEnvironment, feed, work } from "./load.ts";
import { type ServerProcess, startProcess } from "./server-process.ts";
import { survival } from "./survival.ts";

const WORKERS = 12;
const FEEDERS = 3;
/** How long a round lets the load run before the kill. */
const ROUND_MS = { min: 50, max: 600 };

export interface RunReport {
  readonly seed: number;
  readonly rounds: number;
  /** Calls that were answered with 200, and calls that the kills left without an answer. */
  readonly answered: number;
  readonly unanswered: number;
  readonly sessions: number;
  readonly items: number;
  readonly events: number;
  /** Milliseconds from the start of the process until it listened, over all restarts. */
  readonly restartsMs: readonly number[];
  readonly violations: readonly Violation[];
}

export async function crashRun(rounds: number, seed: number, report: (line: string) => void): Promise<RunReport> {
  const dataDir = await mkdtemp(join(tmpdir(), "capstan-crash-"));
  let server = await startProcess(dataDir);
  const load = await startLoad(server, seed);
  const violations: Violation[] = [];
  const restartsMs: number[] = [];
  try {
    const feeders = Array.from({ length: FEEDERS }, () => feed(load));
    const running = [...feeders, ...Array.from({ length: WORKERS }, (_, index) => work(load, `w${index}`))];
    const rest = (async () => {
      for (let round = 1; round <= rounds; round++) {
        await pause(ROUND_MS.min + load.random() * (ROUND_MS.max - ROUND_MS.min));
        load.gate.close();
        await server.kill();
        const began = performance.now();
        server = await startProcess(dataDir);
        restartsMs.push(performance.now() - began);
        load.url = server.url;
        const found = survival(load.history.calls, await readAll<Work>(load.url, workPath(load)));
        violations.push(...found);
        report(`round ${round}: ${load.history.calls.length} calls so far, ${found.length} violations`);
        load.gate.open();
      }
      return comeToRest(load, feeders);
    })();
    // Whoever fails first decides; the others fail after it because the server is gone.
    for (const one of [...running, rest]) one.catch(() => undefined);
    const settled = await Promise.race([rest, ...running.map((one) => one.then(() => rest))]);
    load.ended = true;
    await Promise.all(running);
    violations.push(...checkAll(load, settled));
    return summary(load, seed, rounds, settled, restartsMs, violations);
  } finally {
    load.ended = true;
    load.feeding = false;
    load.gate.open();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

export async function startLoad({ url }: ServerProcess, seed: number): Promise<CrashLoad> {
  const environment = await createEnvironment(url);
  const parts = {
    history: new History(),
    random: seeded(seed),
    gate: new Gate(),
    accepted: new Map<string, string[]>(),
  };
  return { environment, ...parts, url, feeding: true, ended: false };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const workPath = ({ environment }: CrashLoad): string => `/environments/${environment}/work`;

/**
 * No more input; whatever is there is worked off.
 *
 * @param feeders the calls that they have under way may take effect late, and belong to what is there
 */
export async function comeToRest(load: CrashLoad, feeders: readonly Promise<void>[]): Promise<Rest> {
  load.feeding = false;
  await Promise.all(feeders);
  const works = await eventually(async () => {
    const all = await readAll<Work>(load.url, workPath(load));
    const live = all.filter(({ state }) => state !== "stopped").length;
    if (live > 0) throw new Error(`${live} items do not come to an end`);
    return all;
  }, 60_000);
  const inside = { environment_id: load.environment, include_archived: "true" };
  const sessions = await readAll<Session>(load.url, "/sessions", inside);
  const events = new Map<string, SessionEvent[]>();
  for (const { id } of sessions) events.set(id, await readAll<SessionEvent>(load.url, `/sessions/${id}/events`));
  const stats = (await call<WorkQueueStats>(load.url, "GET", `${workPath(load)}/stats`)).body;
  return { works, sessions, events, stats };
}

export function checkAll(load: CrashLoad, rest: Rest): Violation[] {
  const { calls } = load.history;
  return [
    ...checkItems(calls, { lapses: "never" }),
    ...nothingLost(calls, rest),
    ...oneLiveItem(rest),
    ...conservation(calls, rest),
    ...eventsKept(load, rest),
  ];
}

/** Every event that was answered is there, once, and those of a session ascend. */
function eventsKept({ accepted }: CrashLoad, { events }: Rest): Violation[] {
  const found: Violation[] = [];
  for (const [session, ids] of accepted) {
    const kept = (events.get(session) ?? []).map(({ id }) => id);
    for (const id of ids) {
      if (kept.filter((one) => one === id).length === 1) continue;
      found.push({ check: "eventsKept", item: session, message: `${id} was answered, and is not there once` });
    }
    if (kept.join() !== [...kept].sort().join()) {
      found.push({ check: "eventsKept", item: session, message: "its events are out of order" });
    }
  }
  return found;
}

function summary(
  load: CrashLoad,
  seed: number,
  rounds: number,
  rest: Rest,
  restartsMs: readonly number[],
  violations: readonly Violation[],
): RunReport {
  const { calls } = load.history;
  return {
    seed,
    rounds,
    answered: calls.filter(({ status }) => status === 200).length,
    unanswered: calls.filter(({ status }) => status === 0).length,
    sessions: rest.sessions.length,
    items: rest.works.length,
    events: [...rest.events.values()].reduce((sum, { length }) => sum + length, 0),
    restartsMs,
    violations,
  };
}
