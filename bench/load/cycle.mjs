/** Workers that each go round the cycle as fast as they are answered: create, poll, ack, heartbeat, stop. */
import { cpuMs, familyCpuMs } from "../support/process.mjs";
import { percentiles } from "../support/statistics.mjs";
import { Connection } from "./connection.mjs";
import { allItems, Ledger } from "./ledger.mjs";
import { queueRequests } from "./requests.mjs";

export const VERBS = ["create", "poll", "ack", "heartbeat", "stop"];
const SHARES = { p50: 0.5, p99: 0.99 };

/** One server under load, or several that share a store: keeps its connections and its ledger over all rounds. */
export class CycleLoad {
  #urls;
  #usage;
  #requests;
  #workers = [];
  #ledger = new Ledger();

  /**
   * @param target `url` and `pid` of a server, or `urls` and `pids`, of which each worker uses one; `databasePid` of a
   *   database that is a process of its own
   */
  constructor({ url, pid, urls = [url], pids = [pid], databasePid, queue }) {
    this.#urls = urls;
    this.#usage = () => ({
      at: performance.now(),
      server: pids.reduce((sum, one) => sum + cpuMs(one), 0),
      database: databasePid === undefined ? 0 : familyCpuMs(databasePid),
      load: cpuMs(process.pid),
    });
    this.#requests = queueRequests({ host: new URL(urls[0]).host, ...queue });
  }

  async connect(count) {
    const fail = (error) => {
      throw error;
    };
    for (let index = 0; index < count; index++) {
      const connection = new Connection(this.#urls[index % this.#urls.length], fail);
      await connection.ready();
      this.#workers.push(new Worker(connection, `bench-${index}`, this.#requests, this.#ledger));
    }
  }

  /** Load for `warmMs` that is not counted, then for `ms` that is; ends when the last cycle begun is through. */
  async round({ warmMs, ms }) {
    const running = { on: true, samples: undefined, cycles: 0 };
    const done = Promise.all(this.#workers.map((worker) => worker.run(running)));
    await delay(warmMs);
    running.samples = Object.fromEntries(VERBS.map((verb) => [verb, []]));
    const before = this.#usage();
    await delay(ms);
    const samples = running.samples;
    running.samples = undefined;
    const after = this.#usage();
    running.on = false;
    await done;
    return { ...measured(samples, before, after), cycles_with_warm_up: running.cycles };
  }

  /** Everything that was answered against everything that is there. */
  async audit() {
    return this.#ledger.audit(await allItems(this.#workers[0].connection, this.#requests));
  }

  close() {
    for (const worker of this.#workers) worker.connection.close();
  }
}

function measured(samples, before, after) {
  const requests = VERBS.reduce((sum, verb) => sum + samples[verb].length, 0);
  const seconds = (after.at - before.at) / 1_000;
  const cycles = requests / VERBS.length;
  return {
    requests_per_second: requests / seconds,
    cycles_per_second: cycles / seconds,
    server_cpu_ms_per_cycle: (after.server - before.server) / cycles,
    database_cpu_ms_per_cycle: (after.database - before.database) / cycles,
    server_cpu_share: (after.server - before.server) / (seconds * 1_000),
    load_cpu_share: (after.load - before.load) / (seconds * 1_000),
    verbs_ms: Object.fromEntries(VERBS.map((verb) => [verb, percentiles(samples[verb], SHARES)])),
  };
}

class Worker {
  constructor(connection, name, requests, ledger) {
    this.connection = connection;
    this.name = name;
    this.requests = requests;
    this.ledger = ledger;
  }

  run(running) {
    this.running = running;
    return new Promise((resolve) => {
      this.finished = resolve;
      this.#create();
    });
  }

  #create() {
    if (!this.running.on) return this.finished();
    this.#call("create", this.requests.create, (body) => {
      this.ledger.created(firstId(body));
      this.#poll();
    });
  }

  #poll() {
    this.#call("poll", this.requests.poll(this.name), (body) => {
      if (body === "null") {
        this.ledger.refused("poll", 200, "null, although this worker had just queued an item");
        return this.#create();
      }
      this.item = firstId(body);
      this.ledger.claimed(this.item);
      this.#call("ack", this.requests.ack(this.name, this.item), () => this.#beat());
    });
  }

  #beat() {
    this.#call("heartbeat", this.requests.heartbeat(this.name, this.item), () =>
      this.#call("stop", this.requests.stop(this.name, this.item), () => {
        this.ledger.stopped(this.item);
        this.running.cycles += 1;
        this.#create();
      }),
    );
  }

  #call(verb, request, next) {
    const sentAt = performance.now();
    this.connection.send(request, (status, body) => {
      this.running.samples?.[verb].push(performance.now() - sentAt);
      if (status === 200) return next(body);
      this.ledger.refused(verb, status, body);
      this.#create();
    });
  }
}

/** The `id` that an answer begins with, without the cost of parsing all of it. */
const firstId = (body) => body.slice(7, body.indexOf('"', 7));

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
