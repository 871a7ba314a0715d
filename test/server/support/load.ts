/** Workers that do everything that workers do, and some things that they should not, with every call recorded. */
import type { List, Session, Work, WorkHeartbeat } from "../../../src/contract/shapes.ts";
import type { History, Sent, Verb } from "../../support/history.ts";
import type { Rest } from "../../support/history-final.ts";
import type { Answer, CallOptions } from "../../support/server.ts";
import { type Api, itemPath, MESSAGE, ok, REPLY } from "./api.ts";
import { inChunks } from "./chunks.ts";

/** Longer than a run: nothing is delivered twice but what was released. */
const WINDOW_MS = 600_000;

export interface Load {
  readonly api: Api;
  readonly environment: string;
  readonly history: History;
  readonly random: () => number;
  /** How often a worker gives its item back. */
  readonly releases: number;
  /** Set when nothing more will come. */
  ended: boolean;
}

export function createSession({ api, environment, history }: Load): Promise<Answer<Session>> {
  const body = { environment_id: environment, initial_events: [MESSAGE] };
  const call = { verb: "create", environment, item: null, sent: {} } as const;
  return history.record(call, () => api.server.call<Session>("POST", "/sessions", { body }));
}

/** A recorded call on an item. */
function on<T = Work>(load: Load, verb: Verb, item: Work, sent: Sent, options: CallOptions = {}): Promise<Answer<T>> {
  const { api, environment, history } = load;
  const headers = {
    ...(sent.worker === undefined ? {} : { "worker-id": sent.worker }),
    ...(sent.retry === true ? { "x-stainless-retry-count": "1" } : {}),
  };
  const query = sent.expected === undefined ? {} : { query: { expected_last_heartbeat: sent.expected } };
  const path = verb === "get" || verb === "update" ? itemPath(item) : `${itemPath(item)}/${verb}`;
  const method = verb === "get" ? "GET" : "POST";
  return history.record({ verb, environment, item: item.id, sent }, () =>
    api.server.call<T>(method, path, { ...query, ...options, headers }),
  );
}

/** Polls until the load has ended, and sees every item through. */
export async function work(load: Load, worker: string): Promise<void> {
  const { api, environment, history } = load;
  const sent = { worker, windowMs: WINDOW_MS };
  while (!load.ended) {
    const query = { block_ms: 50, reclaim_older_than_ms: WINDOW_MS };
    const polled = await history.record({ verb: "poll", environment, item: null, sent }, () =>
      api.poll(environment, { worker, query }),
    );
    const item = ok(polled);
    if (item !== null) await turn(load, item, worker);
  }
}

async function turn(load: Load, item: Work, worker: string): Promise<void> {
  const chance = (share: number): boolean => load.random() < share;
  const own = { worker };
  if (chance(0.05)) return void (await on(load, "stop", item, { ...own, force: true }, { body: { force: true } }));
  const acks = [on(load, "ack", item, own)];
  if (chance(0.2)) acks.push(on(load, "ack", item, own));
  if (chance(0.2)) acks.push(on(load, "ack", item, { worker: `intruder of ${worker}` }));
  await Promise.all(acks);
  if (chance(load.releases)) return void (await on(load, "release", item, own, { body: {} }));
  const last = await beats(load, item, worker, chance(0.3));
  if (chance(load.releases)) return void (await on(load, "release", item, own, { body: {} }));
  if (chance(0.2)) await on(load, "update", item, {}, { body: { metadata: { [worker]: "was here" } } });
  if (chance(0.3)) await load.api.send(item.data.id, [REPLY], { worker });
  if (chance(0.1)) await on(load, "heartbeat", item, { worker: `intruder of ${worker}`, ...expected(last) });
  if (chance(0.2)) await on(load, "get", item, {});
  if (chance(0.3)) return void (await on(load, "stop", item, { ...own, force: true }, { body: { force: true } }));
  const stops = [on(load, "stop", item, chance(0.5) ? own : {})];
  if (chance(0.3)) stops.push(on(load, "stop", item, {}));
  await Promise.all(stops);
  if (chance(0.5)) await on<WorkHeartbeat>(load, "heartbeat", item, own);
  if (chance(0.2)) await on(load, "ack", item, own);
  await on(load, "stop", item, own);
  if (chance(0.2)) await Promise.all([on(load, "ack", item, own), on(load, "heartbeat", item, own)]);
}

const expected = (value: string | undefined): Sent => (value === undefined ? {} : { expected: value });

/** A chain of heartbeats; a doubled one starts the same link twice. */
async function beats(load: Load, item: Work, worker: string, doubled: boolean): Promise<string | undefined> {
  let last = "NO_HEARTBEAT";
  for (let link = 0; link < 3; link++) {
    const sent = { worker, expected: last };
    const calls = [on<WorkHeartbeat>(load, "heartbeat", item, sent)];
    if (doubled) calls.push(on<WorkHeartbeat>(load, "heartbeat", item, { ...sent, retry: link === 1 }));
    const accepted = (await Promise.all(calls)).filter(({ status }) => status === 200);
    const values = accepted.map(({ body }) => body.last_heartbeat).sort();
    last = values.at(-1) ?? last;
  }
  return last === "NO_HEARTBEAT" ? undefined : last;
}

/** Everything in an environment, page by page. */
export async function readAll<T extends { id: string }>(api: Api, path: string, query = {}): Promise<T[]> {
  const all: T[] = [];
  let page: List<T> | undefined;
  do {
    const cursor = page?.next_page == null ? {} : { page: page.next_page };
    page = ok(await api.server.call<List<T>>("GET", path, { query: { limit: 100, ...query, ...cursor } }));
    all.push(...page.data);
  } while (page.next_page !== null);
  return all;
}

export async function atRest({ api, environment }: Load): Promise<Rest> {
  const sessions = await readAll<Session>(api, "/sessions", { environment_id: environment, include_archived: true });
  const events = new Map<string, Awaited<ReturnType<Api["events"]>>>();
  await inChunks(sessions, async ({ id }) => void events.set(id, await api.events(id)));
  const works = await readAll<Work>(api, `/environments/${environment}/work`);
  return { works, sessions, events, stats: await api.stats(environment) };
}
