/**
 * Parked polls and items that arrive on a schedule which no answer can delay. Each poll that brings an item finishes it
 * and parks again.
 */
import { percentiles } from "../support/statistics.mjs";
import { Connection } from "./connection.mjs";
import { allItems, Ledger } from "./ledger.mjs";
import { queueRequests } from "./requests.mjs";

const WAIT_SECONDS = 60;
/** Connections that create sessions: enough that a slow answer never holds back the next arrival. */
const CLIENTS = 32;

export class WaitersLoad {
  #target;
  #requests;
  #ledger = new Ledger();
  #parked = [];
  #clients = [];
  #arrivals = new Map();

  constructor(target) {
    this.#target = target;
    this.#requests = queueRequests({ host: new URL(target.url).host, ...target.queue });
  }

  async connect(count) {
    for (let index = 0; index < count; index++) {
      const connection = await this.#connection();
      this.#parked.push(connection);
      this.#park(connection, `bench-${index}`);
    }
  }

  /** Creates sessions at the given instants, in ms from now, and waits until each has reached a worker. */
  async round({ instants }) {
    // Not before they are needed: the server ends a connection on which no request comes.
    while (this.#clients.length < CLIENTS) this.#clients.push(await this.#connection());
    const start = performance.now();
    const late = [];
    const picked = await Promise.all(
      instants.map(async (at) => {
        await delay(start + at - performance.now());
        late.push(performance.now() - start - at);
        return this.#arrive();
      }),
    );
    return {
      items: picked.length,
      from_create_sent_ms: picked.map((item) => item.receivedAt - item.sentAt),
      from_create_answered_ms: picked.map((item) => Math.max(0, item.receivedAt - item.answeredAt)),
      schedule_late_ms: percentiles(late, { p50: 0.5, p99: 0.99 }),
    };
  }

  async audit() {
    return this.#ledger.audit(await allItems(this.#clients[0], this.#requests));
  }

  close() {
    for (const connection of [...this.#parked, ...this.#clients]) connection.close();
  }

  async #connection() {
    const connection = new Connection(this.#target.url, (error) => {
      throw error;
    });
    await connection.ready();
    return connection;
  }

  /** One item: resolves when its creation was answered and a worker has it, in whichever order. */
  #arrive() {
    const client = this.#clients.pop();
    if (client === undefined) throw new Error(`${CLIENTS} creations are unanswered: the schedule is too fast.`);
    return new Promise((resolve) => {
      const sentAt = performance.now();
      client.send(this.#requests.create, (status, body) => {
        this.#clients.push(client);
        if (status !== 200) throw new Error(`create answered ${status}: ${body}`);
        const { id } = JSON.parse(body);
        this.#ledger.created(id);
        this.#met(id, { sentAt, answeredAt: performance.now(), resolve });
      });
    });
  }

  #met(sessionId, part) {
    const known = { ...this.#arrivals.get(sessionId), ...part };
    this.#arrivals.set(sessionId, known);
    if (known.receivedAt === undefined || known.resolve === undefined) return;
    this.#arrivals.delete(sessionId);
    known.resolve(known);
  }

  #park(connection, name) {
    connection.send(this.#requests.park(name, WAIT_SECONDS), (status, body) => {
      const receivedAt = performance.now();
      if (status !== 200) this.#ledger.refused("poll", status, body);
      if (status !== 200 || body === "null") return this.#park(connection, name);
      const item = JSON.parse(body);
      this.#ledger.claimed(item.id);
      this.#met(item.data.id, { receivedAt });
      this.#finish(connection, name, item.id);
    });
  }

  #finish(connection, name, workId) {
    connection.send(this.#requests.ack(name, workId), (acked, text) => {
      if (acked !== 200) this.#ledger.refused("ack", acked, text);
      connection.send(this.#requests.stop(name, workId), (status, body) => {
        if (status === 200) this.#ledger.stopped(workId);
        else this.#ledger.refused("stop", status, body);
        this.#park(connection, name);
      });
    });
  }
}

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
