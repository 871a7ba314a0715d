/**
 * A fleet that waits: how soon a parked poll has a new item, and what the fleet costs while there is nothing to do.
 */
import { setTimeout as delay } from "node:timers/promises";
import { startLoad } from "../support/load.mjs";
import { cpuMs, residentBytes } from "../support/process.mjs";
import { metrics, prepareQueue, startCapstan } from "../support/servers.mjs";
import { percentiles, round, summary } from "../support/statistics.mjs";

const GAP_MS = { least: 15, most: 35 };
const SETTLE_MS = 5_000;
/** After a burst, the JavaScript engine keeps its room for new objects until it has been idle for a while. */
const COLLECTED_MS = 50_000;
/** A fleet that has run all the code of a parked poll, against which the memory of larger ones is told. */
const FEW = 100;
const WARM_ITEMS = 100;

export const waiters = {
  summary: "parked polls: pick-up of new items, and the cost of an idle fleet",
  options: {
    waiters: { type: "string", default: "1,100,1000,5000" },
    repeats: { type: "string", default: "5" },
    items: { type: "string", default: "400" },
    idle: { type: "string", default: "20" },
  },
  async run(options) {
    const settings = {
      options,
      repeats: Number(options.repeats),
      items: Number(options.items),
      idleMs: Number(options.idle) * 1_000,
    };
    const fewBytes = await memoryOf(FEW, settings);
    const rows = [];
    for (const count of options.waiters.split(",").map(Number)) {
      rows.push(await fleet(count, { ...settings, fewBytes }));
      console.log(oneLine(rows.at(-1)));
    }
    return {
      durability: "SQLite synchronous=FULL; nothing is answered before its commit is on disk",
      log: "default level, one line per request, into a file",
      arrivals: `one item every ${GAP_MS.least} to ${GAP_MS.most} ms, at instants fixed before the run`,
      repeats: settings.repeats,
      items_per_repeat: settings.items,
      idle_seconds: settings.idleMs / 1_000,
      rows,
    };
  },
};

/** Resident memory of a server with that many parked polls. */
async function memoryOf(count, { options, idleMs }) {
  const server = await startCapstan(options);
  const load = startLoad();
  try {
    return (await park(count, { server, load, idleMs })).fleetBytes;
  } finally {
    await load.stop();
    await server.stop();
  }
}

/** A fleet that has been parked for so long that nothing is left of its arrival. Its polls wait for ten seconds more. */
async function park(count, { server, load, idleMs }) {
  const { url, pid } = server;
  const target = { url, pid, queue: await prepareQueue(server) };
  await delay(SETTLE_MS);
  const emptyBytes = residentBytes(pid);
  await load.ask({ action: "open", name: "fleet", kind: "waiters", target, count });
  const collected = delay(COLLECTED_MS);
  await delay(SETTLE_MS);
  const idle = await watchIdle(server, idleMs);
  await collected;
  return { emptyBytes, idle, fleetBytes: residentBytes(pid) };
}

async function fleet(count, { options, repeats, items, idleMs, fewBytes }) {
  const server = await startCapstan(options);
  const load = startLoad();
  try {
    const { emptyBytes, idle, fleetBytes } = await park(count, { server, load, idleMs });
    // Not counted: the first items meet code that was never run.
    await load.ask({ action: "round", name: "fleet", options: { instants: schedule(WARM_ITEMS, repeats) } });
    const wakesBefore = sum(await metrics(server, "capstan_poll_wakes_total"));
    const rounds = [];
    for (let repeat = 0; repeat < repeats; repeat++) {
      rounds.push(await load.ask({ action: "round", name: "fleet", options: { instants: schedule(items, repeat) } }));
    }
    const wakes = sum(await metrics(server, "capstan_poll_wakes_total")) - wakesBefore;
    const audit = await load.ask({ action: "audit", name: "fleet" });
    return {
      waiters: count,
      ...pickUp(rounds),
      wakes_per_item: round(wakes / (repeats * items)),
      kb_per_waiter: count > FEW ? round((fleetBytes - fewBytes) / (count - FEW) / 1_024) : null,
      rss_mb: {
        few: round(fewBytes / 2 ** 20),
        empty: round(emptyBytes / 2 ** 20),
        fleet: round(fleetBytes / 2 ** 20),
      },
      idle,
      audit,
    };
  } finally {
    await load.stop();
    await server.stop();
  }
}

/** What the server does while all polls are parked: calls to the store by name, and CPU. */
async function watchIdle(server, ms) {
  const before = { calls: await metrics(server, "capstan_store_calls_total"), cpu: cpuMs(server.pid) };
  await delay(ms);
  const cpu = cpuMs(server.pid) - before.cpu;
  const calls = await metrics(server, "capstan_store_calls_total");
  const perSecond = {};
  for (const [label, value] of Object.entries(calls)) {
    const more = value - (before.calls[label] ?? 0);
    // The second look at the metrics counts itself.
    if (more > 0 && !label.includes("countWork")) perSecond[label] = round(more / (ms / 1_000));
  }
  return { store_calls_per_second: perSecond, cpu_share: round(cpu / ms) };
}

/** Instants in ms; the same ones in every run, from a small generator with a fixed seed. */
function schedule(items, seed) {
  let state = seed * 7_919 + 12_345;
  let at = 0;
  return Array.from({ length: items }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    at += GAP_MS.least + (state / 2 ** 31) * (GAP_MS.most - GAP_MS.least);
    return at;
  });
}

function pickUp(rounds) {
  const shares = { p50: 0.5, p99: 0.99 };
  const of = (key) => {
    const each = rounds.map((result) => percentiles([...result[key]], shares));
    // One repeat is too short for its own p99.9; all of them together are not.
    const all = percentiles(
      rounds.flatMap((result) => result[key]),
      { "p99.9": 0.999 },
    );
    return { p50: summary(each.map(({ p50 }) => p50)), p99: summary(each.map(({ p99 }) => p99)), ...all };
  };
  return {
    from_create_sent_ms: of("from_create_sent_ms"),
    from_create_answered_ms: of("from_create_answered_ms"),
    schedule_late_ms: rounds.map((result) => result.schedule_late_ms.p99).reduce((a, b) => Math.max(a, b)),
  };
}

const sum = (series) => Object.values(series).reduce((total, value) => total + value, 0);

const oneLine = (row) =>
  [
    `${row.waiters} waiters: create sent to worker p50 ${row.from_create_sent_ms.p50.median} ms`,
    `p99 ${row.from_create_sent_ms.p99.median} ms, p99.9 ${row.from_create_sent_ms["p99.9"]} ms`,
    `${row.kb_per_waiter} kB per waiter, ${row.wakes_per_item} wakes per item`,
    `idle: ${row.idle.cpu_share} of a core, store calls/s ${JSON.stringify(row.idle.store_calls_per_second)}`,
    `lost ${row.audit.lost}, owned twice ${row.audit.owned_twice}, refused ${row.audit.refused}`,
  ].join(", ");
