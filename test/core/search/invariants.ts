/** The safety rules of a single item, each as a judge of one step: a sentence when the step breaks it. */
import { SECOND } from "../support/items.ts";
import { drainLimit, holderOf } from "./ledger.ts";
import { WINDOW } from "./setting.ts";
import type { Step } from "./world.ts";

export interface Invariant {
  readonly name: string;
  check(step: Step): string | undefined;
}

const accepted = (step: Step): boolean => step.outcome.refused === undefined;
const isHeartbeat = (step: Step): boolean => step.command?.type === "heartbeat";
const isStop = (step: Step): boolean => step.command?.type === "stop";

const singleDelivery: Invariant = {
  name: "1 single delivery",
  check(step) {
    const { ledger, now } = step.before;
    if (step.call.type === "deliver") {
      if (ledger.owner !== null) return `delivered while ${ledger.owner} holds it`;
      if (ledger.availableAt !== null && now < ledger.availableAt) return "delivered before the delay was over";
      if (ledger.delivered !== null && now < ledger.delivered.at + WINDOW) return "delivered twice within the window";
    }
    if (step.call.type === "lapse" && (ledger.leaseEnd === null || now < ledger.leaseEnd)) return "lapsed early";
    return undefined;
  },
};

const singleOwner: Invariant = {
  name: "2 single owner",
  check({ after }) {
    const { ledger, item } = after;
    if (ledger.accepted.length > 1) return `ack or heartbeat accepted of ${ledger.accepted.join(" and ")}`;
    if (!ledger.stopped && item.holder !== ledger.owner)
      return `${ledger.owner} was told it owns it, not ${item.holder}`;
    return undefined;
  },
};

const ackOnce: Invariant = {
  name: "3 ack is compare-and-set",
  check(step) {
    if (step.call.type !== "ack") return undefined;
    const { ledger, item, now } = step.before;
    const { by } = step.call;
    if (ledger.stopRequestedAt !== null || ledger.stopped) return accepted(step) ? "acked after the end" : undefined;
    const holder = holderOf(ledger);
    if (holder !== null && holder !== by) return accepted(step) ? `${by} acked what ${holder} has` : undefined;
    if (!accepted(step)) return `${by} was refused its own item`;
    const after = step.after.item;
    if (ledger.owner !== null) return after === item ? undefined : "a repeated ack changed the item";
    const stamped = after.acknowledgedAt === Math.max(now, item.createdAt);
    return after.state === "starting" && stamped ? undefined : `an ack left it ${after.state}`;
  },
};

const firstBeatOnce: Invariant = {
  name: "4 NO_HEARTBEAT and started_at once per hand-out",
  check(step) {
    const { ledger } = step.before;
    if (step.command?.type === "heartbeat" && step.command.expected === null && accepted(step)) {
      const repeats = step.command.declaredRetry && ledger.beat?.replaced === null;
      if (ledger.beat !== null && !repeats) return "NO_HEARTBEAT was accepted after a heartbeat";
    }
    const same = step.after.ledger.handOut === ledger.handOut && step.after.ledger.owner === ledger.owner;
    if (same && ledger.startedAt !== null && step.after.item.startedAt !== ledger.startedAt) return "started twice";
    return undefined;
  },
};

const comparedBeat: Invariant = {
  name: "5 a heartbeat succeeds on the stored value only",
  check(step) {
    if (step.command?.type !== "heartbeat") return undefined;
    const { ledger, item } = step.before;
    const { expected, declaredRetry } = step.command;
    const after = step.after.item;
    if (expected === (ledger.beat?.at ?? null)) {
      const owns = ledger.owner === step.call.by && !ledger.stopped;
      return owns && !accepted(step) ? "a heartbeat on the stored value was refused" : undefined;
    }
    const repeats = declaredRetry && ledger.beat !== null && expected === ledger.beat.replaced;
    if (!repeats) return accepted(step) ? "a heartbeat on another value was accepted" : undefined;
    return accepted(step) && after !== item ? "a repeated heartbeat wrote something" : undefined;
  },
};

const ascendingBeats: Invariant = {
  name: "6 heartbeats ascend over the item's whole life",
  check(step) {
    if (!isHeartbeat(step) || !accepted(step)) return undefined;
    const value = step.after.item.latestHeartbeatAt;
    if (value === null) return "an accepted heartbeat left none";
    const { beat, greatestBeat } = step.before.ledger;
    // The same value again is an answer given twice, which only a declared retry may get.
    if (value === beat?.at) return step.call.type === "heartbeatRetry" ? undefined : "one value was issued twice";
    return value > greatestBeat ? undefined : "a value is not greater than all before it";
  },
};

const fencing: Invariant = {
  name: "7 fencing",
  check(step) {
    const { by, type } = step.call;
    const moves = isHeartbeat(step) || isStop(step) || type === "release" || type === "releaseLater";
    if (by === null || !moves || !accepted(step)) return undefined;
    const { ledger } = step.before;
    const holder = holderOf(ledger);
    if (holder !== null && holder !== by) return `${by} changed what ${holder} has`;
    const last = ledger.lastHandOut[by];
    const over = last < ledger.handOut || (holder === null && !ledger.stopped);
    return last > 0 && over ? `${by} was answered in the name of a hand-out that is over` : undefined;
  },
};

const noResurrection: Invariant = {
  name: "8 no resurrection",
  check({ before, after, call }) {
    if (before.ledger.stopped && after.item !== before.item) return `${call.type} changed a stopped item`;
    const asked = before.ledger.stopRequestedAt !== null;
    const ending = after.item.state === "stopping" || after.item.state === "stopped";
    return asked && !ending ? `${call.type} made it ${after.item.state} after a stop request` : undefined;
  },
};

const stopTable: Invariant = {
  name: "9 stop table",
  check(step) {
    const { ledger, item: stood } = step.before;
    const { item } = step.after;
    if (isStop(step)) {
      const entitled = step.call.by === null || holderOf(ledger) === step.call.by;
      if (!accepted(step)) return entitled ? "a stop was refused" : undefined;
      const graceful = step.call.type === "stop" && (stood.state === "starting" || stood.state === "active");
      if (item.state !== (graceful ? "stopping" : "stopped")) return `a stop made it ${item.state}`;
    }
    if (step.call.type === "lapse" && stood.state === "stopping" && item.state !== "stopped")
      return "drained, not stopped";
    if (item.state !== "stopping") return undefined;
    const end = Math.min(step.after.ledger.leaseEnd ?? 0, drainLimit(item.stopRequestedAt ?? 0));
    const swept = item.deadlineAt !== null && item.sweepAt !== null && item.sweepAt <= item.deadlineAt;
    return swept && item.deadlineAt === end ? undefined : "a stopping item outlives its lease or its drain limit";
  },
};

/** Which stamps a state has, by the contract; `?` where its past decides. Order: acked, started, beat, asked, stopped. */
const STAMPED: Readonly<Record<string, string>> = {
  queued: "-----",
  starting: "+----",
  active: "+++--",
  stopping: "+??+-",
  stopped: "????+",
};

const stampOrder: Invariant = {
  name: "10 stamps",
  check({ after: { item, ledger } }) {
    const stamps = [item.acknowledgedAt, item.startedAt, item.latestHeartbeatAt, item.stopRequestedAt, item.stoppedAt];
    const pattern = STAMPED[item.state] ?? "";
    for (const [index, stamp] of stamps.entries()) {
      const rule = pattern[index];
      if (rule !== "?" && (stamp !== null) !== (rule === "+")) return `a ${item.state} item with stamps ${stamps}`;
    }
    const life = [item.createdAt, ...stamps.slice(0, 3)].filter((stamp) => stamp !== null);
    if (life.some((stamp, index) => index > 0 && stamp < (life[index - 1] as number))) return `stamps ${life} descend`;
    if (item.stopRequestedAt !== ledger.stopRequestedAt) return "stop_requested_at is not the first request";
    if (item.stoppedAt !== null && item.stoppedAt < (item.stopRequestedAt ?? 0)) return "stopped before it was asked";
    const live = item.state !== "queued" && item.state !== "stopped";
    if (live !== (item.deadlineAt !== null)) return `a ${item.state} item with deadline ${item.deadlineAt}`;
    if (live && item.deadlineAt !== ledger.leaseEnd)
      return `deadline off by ${gap(item.deadlineAt, ledger.leaseEnd)} s`;
    return undefined;
  },
};

const gap = (a: number | null, b: number | null): number => ((a ?? 0) - (b ?? 0)) / SECOND;

export const INVARIANTS: readonly Invariant[] = [
  singleDelivery,
  singleOwner,
  ackOnce,
  firstBeatOnce,
  comparedBeat,
  ascendingBeats,
  fencing,
  noResurrection,
  stopTable,
  stampOrder,
];
