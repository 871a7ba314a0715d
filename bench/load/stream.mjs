/**
 * Sessions that are written to on a schedule which no answer can delay, and readers of their streams. Every event carries
 * when it was due, so that whoever reads it knows how long it took.
 */
import net from "node:net";
import { cpuMs } from "../support/process.mjs";
import { Histogram, percentiles } from "../support/statistics.mjs";
import { Connection } from "./connection.mjs";

const API = "/api/v1/cloud";
/** All connections read into one buffer: each read is used up before the next begins. */
const SHARED = Buffer.allocUnsafe(256 * 1_024);
const FILLER = "x".repeat(64);
/** For how long nothing may arrive before what is missing counts as lost: what is late on a busy machine is not. */
const SETTLE_MS = 10_000;
const SHARES = { p50: 0.5, p99: 0.99, "p99.9": 0.999 };

export class StreamLoad {
  #target;
  #sessions;
  #readers = [];
  #broken = 0;

  /** @param target with the ids of the sessions and the token of a client */
  constructor(target) {
    this.#target = target;
    this.#sessions = target.sessions.map((id, index) => new Session(target, id, index));
  }

  /** Opens so many readers, the same number on each session. */
  async connect(count) {
    for (const session of this.#sessions) await session.connection.ready();
    for (let index = 0; index < count; index++) {
      const session = this.#sessions[index % this.#sessions.length];
      const reader = new Reader(this.#target, session, () => {
        this.#broken += 1;
      });
      this.#readers.push(reader);
      await reader.ready;
    }
  }

  /** Load for `warmMs` that is not counted, then for `ms` that is; ends when everybody has everything. */
  async round({ warmMs, ms, perSecond, perCall }) {
    const start = performance.now() + 100;
    const callEveryMs = (1_000 * perCall) / perSecond;
    const calls = Math.round((warmMs + ms) / callEveryMs);
    const late = [];
    for (const [index, session] of this.#sessions.entries()) {
      // Spread over the interval, as independent sessions are.
      const phase = (index * callEveryMs) / this.#sessions.length;
      session.plan({ firstAt: start + phase, callEveryMs, calls, perCall, countedFrom: start + warmMs, late });
    }
    await this.#drive(start + warmMs);
    const before = this.#usage();
    await this.#drive(start + warmMs + ms);
    const after = this.#usage();
    const measured = { sent: new Histogram(), answered: new Histogram(), events: 0, deliveries: 0 };
    await this.#settle();
    for (const reader of this.#readers) reader.addTo(measured);
    for (const session of this.#sessions) measured.events += session.takeCounted();
    const seconds = (after.at - before.at) / 1_000;
    return {
      events_per_second: measured.events / seconds,
      deliveries_per_second: measured.deliveries / seconds,
      from_due_ms: measured.sent.percentiles(SHARES),
      from_answer_ms: measured.answered.percentiles(SHARES),
      schedule_late_ms: percentiles(late, SHARES),
      server_cpu_ms_per_event: (after.server - before.server) / (after.accepted - before.accepted),
      server_cpu_share: (after.server - before.server) / (seconds * 1_000),
      load_cpu_share: (after.load - before.load) / (seconds * 1_000),
    };
  }

  /** What every reader should have, against what it has. */
  audit() {
    const sum = (key) => this.#readers.reduce((total, reader) => total + reader[key], 0);
    const missing = this.#readers.reduce((total, reader) => total + reader.session.accepted - reader.next, 0);
    return {
      sessions: this.#sessions.length,
      readers: this.#readers.length,
      events: this.#sessions.reduce((total, session) => total + session.accepted, 0),
      deliveries: this.#readers.reduce((total, reader) => total + reader.next, 0),
      lost: missing + sum("skipped"),
      repeated: sum("repeated"),
      refused: this.#sessions.reduce((total, session) => total + session.refused, 0),
      disconnected: this.#broken,
    };
  }

  close() {
    for (const reader of this.#readers) reader.close();
    for (const session of this.#sessions) session.connection.close();
  }

  #usage() {
    return {
      at: performance.now(),
      server: cpuMs(this.#target.pid),
      load: cpuMs(process.pid),
      accepted: this.#sessions.reduce((total, session) => total + session.accepted, 0),
    };
  }

  async #drive(until) {
    for (;;) {
      const now = performance.now();
      for (const session of this.#sessions) session.due(now);
      if (now >= until) return;
      await delay(1);
    }
  }

  async #settle() {
    const arrived = () => this.#readers.reduce((total, reader) => total + reader.next, 0);
    let seen = arrived();
    let deadline = performance.now() + SETTLE_MS;
    const behind = () =>
      this.#sessions.some((session) => !session.idle) ||
      this.#readers.some((reader) => reader.next < reader.session.accepted);
    while (behind() && performance.now() < deadline) {
      for (const session of this.#sessions) session.due(performance.now());
      await delay(5);
      if (arrived() === seen) continue;
      seen = arrived();
      deadline = performance.now() + SETTLE_MS;
    }
  }
}

/** One session and the connection over which it is written to, one call at a time. */
class Session {
  accepted = 0;
  refused = 0;
  /** When the answer to each call came, by the number of its first event. */
  answeredAt = [];
  #sent = 0;
  #busy = false;
  #plan;
  #counted = 0;

  constructor(target, id, index) {
    this.index = index;
    this.id = id;
    this.head = `POST ${API}/sessions/${id}/events HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${target.token}\r\ncontent-type: application/json\r\n`;
    this.connection = new Connection(target.url, (error) => {
      throw error;
    });
  }

  get idle() {
    return !this.#busy && this.#plan.calls === 0;
  }

  plan(plan) {
    this.#plan = { ...plan, nextAt: plan.firstAt };
    this.countedFrom = plan.countedFrom;
  }

  takeCounted() {
    const counted = this.#counted;
    this.#counted = 0;
    return counted;
  }

  /** Makes the next call when its time has come. Its events say when that was, not when the connection was free. */
  due(now) {
    const plan = this.#plan;
    if (this.#busy || plan.calls === 0 || now < plan.nextAt) return;
    this.#busy = true;
    const first = this.#sent;
    const dueAt = plan.nextAt;
    plan.late.push(now - dueAt);
    plan.nextAt += plan.callEveryMs;
    plan.calls -= 1;
    this.#sent += plan.perCall;
    const body = JSON.stringify({
      events: Array.from({ length: plan.perCall }, (_, offset) => ({
        type: "system.message",
        content: [{ type: "text", text: `~${first + offset}:${Math.round(dueAt * 1_000)}~${FILLER}` }],
      })),
    });
    this.connection.send(`${this.head}content-length: ${body.length}\r\n\r\n${body}`, (status) => {
      this.#busy = false;
      if (status !== 200) {
        this.refused += 1;
        return;
      }
      const answeredAt = performance.now();
      for (let number = first; number < this.#sent; number++) this.answeredAt[number] = answeredAt;
      this.accepted = this.#sent;
      if (dueAt >= this.countedFrom) this.#counted += plan.perCall;
    });
  }
}

/** One stream. It knows which event comes next, and takes no other. */
class Reader {
  next = 0;
  skipped = 0;
  repeated = 0;
  #partial = "";
  #sent = new Histogram();
  #answered = new Histogram();
  #deliveries = 0;
  #open = false;
  #closing = false;

  constructor(target, session, broke) {
    this.session = session;
    const { hostname, port } = new URL(target.url);
    let opened;
    this.ready = new Promise((resolve) => {
      opened = resolve;
    });
    this.socket = net.connect({
      host: hostname,
      port: Number(port),
      onread: { buffer: SHARED, callback: (bytes) => this.#read(bytes, opened) },
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => this.#closing || broke());
    this.socket.write(
      `GET ${API}/sessions/${session.id}/events/stream HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ${target.token}\r\n\r\n`,
    );
  }

  close() {
    this.#closing = true;
    this.socket.destroy();
  }

  addTo(measured) {
    measured.sent.add(this.#sent);
    measured.answered.add(this.#answered);
    measured.deliveries += this.#deliveries;
    this.#sent = new Histogram();
    this.#answered = new Histogram();
    this.#deliveries = 0;
  }

  #read(bytes, opened) {
    const text = this.#partial + SHARED.latin1Slice(0, bytes);
    if (!this.#open) {
      if (!text.startsWith("HTTP/1.1 200")) throw new Error(`A stream was refused: ${text.slice(0, 200)}`);
      this.#open = true;
      opened();
    }
    const now = performance.now();
    let at = 0;
    for (;;) {
      const begin = text.indexOf("~", at);
      const end = begin < 0 ? -1 : text.indexOf("~", begin + 1);
      if (end < 0) {
        this.#partial = begin < 0 ? "" : text.slice(begin);
        return true;
      }
      this.#take(text.slice(begin + 1, end), now);
      at = end + 1;
    }
  }

  #take(mark, now) {
    const colon = mark.indexOf(":");
    const number = Number(mark.slice(0, colon));
    if (number < this.next) {
      this.repeated += 1;
      return;
    }
    this.skipped += number - this.next;
    this.next = number + 1;
    const dueAt = Number(mark.slice(colon + 1)) / 1_000;
    if (dueAt < this.session.countedFrom) return;
    this.#deliveries += 1;
    this.#sent.record(now - dueAt);
    // A reader may have an event before its sender has the answer.
    this.#answered.record(Math.max(0, now - (this.session.answeredAt[number] ?? now)));
  }
}

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
