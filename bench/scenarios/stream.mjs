/**
 * Event streams: how soon what is written to a session reaches those who follow it, what that costs, and whether a long
 * history makes anything slower.
 */
import { startLoad } from "../support/load.mjs";
import { residentBytes } from "../support/process.mjs";
import { metrics, prepareQueue, startCapstan } from "../support/servers.mjs";
import { round, summary } from "../support/statistics.mjs";
import { history, newSession } from "./stream-history.mjs";

const SAMPLE_MS = 1_000;

export const stream = {
  summary: "event streams: delivery to many readers, memory over time, and long histories",
  options: {
    sessions: { type: "string", default: "100" },
    readers: { type: "string", default: "1000" },
    "events-per-second": { type: "string", default: "100" },
    "events-per-call": { type: "string", default: "5" },
    repeats: { type: "string", default: "5" },
    seconds: { type: "string", default: "10" },
    history: { type: "string", default: "100000" },
  },
  async run(options) {
    const numbers = Object.fromEntries(Object.entries(options).map(([name, value]) => [name, Number(value)]));
    const server = await startCapstan(options);
    try {
      const delivery = await deliver(server, numbers);
      console.log(oneLine(delivery));
      const long = await history(server, numbers.history);
      return {
        durability: "SQLite synchronous=FULL; nothing is answered, and nothing delivered, before its commit is on disk",
        log: "default level, one line per request, into a file",
        arrivals: "each session is written to at instants fixed before the run",
        sessions: numbers.sessions,
        readers: numbers.readers,
        events_per_second_and_session: numbers["events-per-second"],
        events_per_call: numbers["events-per-call"],
        repeats: numbers.repeats,
        seconds_per_repeat: numbers.seconds,
        ...delivery,
        history: long,
      };
    } finally {
      await server.stop();
    }
  },
};

async function deliver(server, numbers) {
  const { environmentId, clientToken: token } = await prepareQueue(server);
  const sessions = [];
  for (let index = 0; index < numbers.sessions; index++) sessions.push(await newSession(server, environmentId, token));
  const load = startLoad();
  const memory = [];
  const sampler = setInterval(() => memory.push(residentBytes(server.pid) / 2 ** 20), SAMPLE_MS);
  try {
    const target = { url: server.url, pid: server.pid, sessions, token };
    await load.ask({ action: "open", name: "streams", kind: "stream", target, count: numbers.readers });
    const rounds = [];
    for (let repeat = 0; repeat < numbers.repeats; repeat++) {
      const options = {
        warmMs: repeat === 0 ? 5_000 : 1_000,
        ms: numbers.seconds * 1_000,
        perSecond: numbers["events-per-second"],
        perCall: numbers["events-per-call"],
      };
      rounds.push(await load.ask({ action: "round", name: "streams", options }));
    }
    const open = Object.values(await metrics(server, "capstan_event_streams_open"))[0];
    return {
      ...figures(rounds),
      memory_mb: overTime(memory),
      streams_open: open,
      audit: await load.ask({ action: "audit", name: "streams" }),
    };
  } finally {
    clearInterval(sampler);
    await load.stop();
  }
}

function figures(rounds) {
  const of = (pick) => summary(rounds.map(pick));
  const shares = (key) => ({
    p50: of((result) => result[key].p50),
    p99: of((result) => result[key].p99),
    "p99.9": of((result) => result[key]["p99.9"]),
  });
  return {
    events_per_second: of((result) => result.events_per_second),
    deliveries_per_second: of((result) => result.deliveries_per_second),
    from_due_ms: shares("from_due_ms"),
    from_answer_ms: shares("from_answer_ms"),
    schedule_late_ms_p99: of((result) => result.schedule_late_ms.p99),
    server_cpu_ms_per_event: of((result) => result.server_cpu_ms_per_event),
    server_cpu_share: of((result) => result.server_cpu_share),
    load_cpu_share: of((result) => result.load_cpu_share),
  };
}

/** The second half of the run against its second quarter: the first quarter is the one in which heaps and caches fill. */
function overTime(samples) {
  const part = (from, to) => samples.slice(Math.floor(samples.length * from), Math.floor(samples.length * to));
  const median = (values) => summary(values).median;
  const [early, late] = [median(part(0.25, 0.5)), median(part(0.75, 1))];
  return { early: round(early), late: round(late), growth: round(late - early), most: round(Math.max(...samples)) };
}

const oneLine = (row) =>
  [
    `${row.events_per_second.median} events/s, ${row.deliveries_per_second.median} deliveries/s`,
    `due to reader p50 ${row.from_due_ms.p50.median} ms, p99 ${row.from_due_ms.p99.median} ms`,
    `answer to reader p99 ${row.from_answer_ms.p99.median} ms`,
    `server ${row.server_cpu_ms_per_event.median} CPU-ms per event, ${row.server_cpu_share.median} of a core, load ${row.load_cpu_share.median}`,
    `memory ${row.memory_mb.early} → ${row.memory_mb.late} MB`,
    `lost ${row.audit.lost}, repeated ${row.audit.repeated}, refused ${row.audit.refused}, disconnected ${row.audit.disconnected}`,
  ].join("; ");
