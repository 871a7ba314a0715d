/**
 * Checks of a recorded history, item by item. Each of them is sound: calls that overlapped may have taken effect in either
 * order, and only what no order can explain is a violation.
 */
import type { Work } from "../../src/contract/shapes.ts";
import {
  byItem,
  type ItemHistory,
  of,
  ordered,
  precedes,
  type Recorded,
  type Rules,
  releases,
  type Violation,
} from "./history.ts";

type Check = (history: ItemHistory, rules: Rules) => string[];

/** How much the store's clock may run ahead of the recorder's: it drifts towards the wall clock by a tenth at most. */
const CLOCK_TOLERANCE = 1.15;

const mayHaveLapsed = (rules: Rules): boolean => rules.lapses === "possible";

/** Whether a release may have taken effect between two calls, in whichever order those did. */
const releasedBetween = (history: ItemHistory, a: Recorded, b: Recorded): boolean =>
  releases(history).some(({ start, end }) => end > Math.min(a.start, b.start) && start < Math.max(a.end, b.end));

/** 1. A second delivery only after the un-acked window, a lapse or a release; never early by the store's clock. */
const singleDelivery: Check = (history, rules) => {
  const found: string[] = [];
  const deliveries = of(history, "poll");
  for (const [index, first] of deliveries.entries()) {
    for (const second of deliveries.slice(index + 1)) {
      if (mayHaveLapsed(rules) || releasedBetween(history, first, second)) continue;
      const longest = (Math.max(first.end, second.end) - first.start) * (rules.clockTolerance ?? CLOCK_TOLERANCE);
      const window = Math.min(first.sent.windowMs ?? 5_000, second.sent.windowMs ?? 5_000);
      if (longest < window) found.push(`delivered twice within ${longest.toFixed(1)} ms, window ${window} ms`);
    }
  }
  for (const [ack, delivery] of ordered(of(history, "ack"), deliveries)) {
    if (mayHaveLapsed(rules) || releasedBetween(history, ack, delivery)) continue;
    found.push(`delivered to ${delivery.sent.worker} after ${ack.sent.worker} had acknowledged it`);
  }
  return found;
};

/** 2. Two owners at once: two acknowledged hand-outs without anything that ended the first. */
const singleOwner: Check = (history, rules) => {
  const found: string[] = [];
  const owned = of(history, "ack", "heartbeat");
  for (const [first, second] of ordered(owned)) {
    const { worker: a } = first.sent;
    const { worker: b } = second.sent;
    if (a === undefined || b === undefined || a === b) continue;
    if (mayHaveLapsed(rules) || releasedBetween(history, first, second)) continue;
    found.push(`${a} owned it, and then ${b}, although nobody gave it back`);
  }
  const acks = of(history, "ack");
  for (const [index, first] of acks.entries()) {
    for (const second of acks.slice(index + 1)) {
      const same = first.work?.acknowledged_at === second.work?.acknowledged_at;
      const named = first.sent.worker !== undefined && second.sent.worker !== undefined;
      if (same && named && first.sent.worker !== second.sent.worker) {
        found.push(`${first.sent.worker} and ${second.sent.worker} both acknowledged one hand-out`);
      }
    }
  }
  return found;
};

/** 3. An ack leaves the item starting or active; one after a stop is refused; a repeated one changes nothing. */
const ackIsCompareAndSet: Check = (history, rules) => {
  const found: string[] = [];
  const acks = of(history, "ack");
  for (const { work } of acks) {
    if (work?.state !== "starting" && work?.state !== "active") found.push(`an ack left it ${work?.state}`);
  }
  for (const [stop] of ordered(of(history, "stop"), acks)) found.push(`acknowledged after it was ${stop.work?.state}`);
  for (const [first, again] of ordered(acks)) {
    if (mayHaveLapsed(rules) || releasedBetween(history, first, again)) continue;
    const stamps = [first.work?.acknowledged_at, again.work?.acknowledged_at];
    if (stamps[0] !== stamps[1]) found.push(`acknowledged at ${stamps[0]}, and again at ${stamps[1]}`);
  }
  return found;
};

/** Heartbeats that extended something: a declared retry may have been answered from the beat before. */
const beats = (history: ItemHistory): Recorded[] => {
  const declared = of(history, "heartbeat").filter((call) => call.sent.retry === true);
  const plain = of(history, "heartbeat").filter((call) => call.sent.retry !== true);
  const known = new Set(plain.map((call) => call.beat?.last_heartbeat));
  const own = declared.filter(({ beat }) => {
    const isNew = !known.has(beat?.last_heartbeat);
    known.add(beat?.last_heartbeat);
    return isNew;
  });
  return [...plain, ...own];
};

/** 4. One start per hand-out: `NO_HEARTBEAT` succeeds once, and `started_at` has one value for each ack. */
const startsOnce: Check = (history, rules) => {
  const found: string[] = [];
  const starts = beats(history).filter((call) => call.sent.expected === "NO_HEARTBEAT");
  const handOuts = releases(history).length + 1;
  if (!mayHaveLapsed(rules) && starts.length > handOuts) {
    found.push(`NO_HEARTBEAT succeeded ${starts.length} times in at most ${handOuts} hand-outs`);
  }
  const startOf = new Map<string, string>();
  for (const { work } of history.accepted) {
    if (work?.acknowledged_at == null || work.started_at === null) continue;
    const known = startOf.get(work.acknowledged_at);
    if (known !== undefined && known !== work.started_at) found.push(`started at ${known} and at ${work.started_at}`);
    startOf.set(work.acknowledged_at, work.started_at);
  }
  return found;
};

/** 5. Each beat builds on a value that was issued, and no two on the same one. */
const beatsFormAChain: Check = (history) => {
  const found: string[] = [];
  const shown = history.accepted.flatMap(({ work, beat }) => work?.latest_heartbeat_at ?? beat?.last_heartbeat ?? []);
  const issued = new Set(shown);
  const used = new Set<string>();
  for (const { sent } of beats(history)) {
    const { expected } = sent;
    if (expected === undefined || expected === "NO_HEARTBEAT") continue;
    if (!issued.has(expected)) found.push(`a beat succeeded on ${expected}, which was never issued`);
    if (used.has(expected)) found.push(`two beats succeeded on ${expected}`);
    used.add(expected);
  }
  return found;
};

/** 6. Beats strictly increase over the item's whole life, and none is issued twice. */
const beatsIncrease: Check = (history) => {
  const found: string[] = [];
  const seen = new Set<string>();
  const own = beats(history);
  for (const { beat } of own) {
    const value = beat?.last_heartbeat ?? "";
    if (seen.has(value)) found.push(`${value} was issued twice`);
    seen.add(value);
  }
  for (const [first, second] of ordered(own)) {
    const values = [first.beat?.last_heartbeat ?? "", second.beat?.last_heartbeat ?? ""] as const;
    if (values[0] >= values[1]) found.push(`${values[1]} was issued after ${values[0]}`);
  }
  return found;
};

/** 7. Once another worker has acknowledged the item, no call under the name of its former owner succeeds. */
const fencing: Check = (history) => {
  const found: string[] = [];
  const acks = of(history, "ack").filter((call) => call.sent.worker !== undefined);
  for (const [before, after] of ordered(acks)) {
    const former = before.sent.worker;
    if (former === after.sent.worker) continue;
    // A new delivery makes it his again.
    const regained = of(history, "poll", "ack").filter((call) => call.sent.worker === former && call.end > after.start);
    const late = of(history, "ack", "heartbeat", "stop", "release").find(
      (call) => call.sent.worker === former && precedes(after, call) && !regained.some(({ start }) => start < call.end),
    );
    if (late !== undefined) found.push(`${late.verb} of ${former} succeeded after ${after.sent.worker} had taken over`);
  }
  return found;
};

const RANK: Readonly<Record<Work["state"], number>> = { queued: 0, starting: 1, active: 2, stopping: 3, stopped: 4 };

/** 8. After a stop request the item is never delivered, queued, starting or active again; `stopped` is final. */
const noResurrection: Check = (history) => {
  const found: string[] = [];
  const seen = history.accepted.filter((call) => call.work !== null);
  const stopped = seen.filter(({ work }) => work !== null && RANK[work.state] >= RANK.stopping);
  for (const [stop, later] of ordered(stopped, seen)) {
    const [was, is] = [stop.work?.state ?? "stopped", later.work?.state ?? "queued"];
    if (RANK[is] < RANK[was]) found.push(`${later.verb} showed it ${is} after it was ${was}`);
  }
  for (const [stop, beat] of ordered(of(history, "stop"), of(history, "heartbeat"))) {
    if (stop.work?.state === "stopped") found.push("a heartbeat succeeded after it was stopped");
    else if (beat.beat?.state !== "stopping" && beat.sent.retry !== true)
      found.push(`a heartbeat told ${beat.beat?.state} after a stop request`);
  }
  return found;
};

/** 9. A stop leaves the item stopping or stopped, a forced or a second one stopped; the request keeps its time. */
const stopTable: Check = (history) => {
  const found: string[] = [];
  const stops = of(history, "stop");
  for (const { work, sent } of stops) {
    if (work?.state !== "stopped" && (work?.state !== "stopping" || sent.force === true)) {
      found.push(`a ${sent.force === true ? "forced " : ""}stop left it ${work?.state}`);
    }
  }
  for (const [, second] of ordered(stops)) {
    if (second.work?.state !== "stopped") found.push(`a second stop left it ${second.work?.state}`);
  }
  const requests = new Set(history.accepted.flatMap(({ work }) => work?.stop_requested_at ?? []));
  if (requests.size > 1) found.push(`its stop was requested at ${[...requests].join(" and ")}`);
  return found;
};

/** 10. Stamps keep their order, and none is set without its state. */
const stampOrder: Check = (history) =>
  history.accepted.flatMap(({ verb, work }) =>
    work === null ? [] : stampProblems(work).map((text) => `${verb}: ${text}`),
  );

function stampProblems(work: Work): string[] {
  const found: string[] = [];
  const { acknowledged_at, started_at, latest_heartbeat_at, stop_requested_at, stopped_at, state } = work;
  const life = [work.created_at, acknowledged_at, started_at, latest_heartbeat_at].filter((stamp) => stamp !== null);
  if (life.some((stamp, index) => stamp < (life[index - 1] ?? "")))
    found.push(`stamps out of order: ${life.join(" ")}`);
  if (stopped_at !== null && stopped_at < (stop_requested_at ?? "")) found.push("stopped before it was requested");
  if ((stopped_at !== null) !== (state === "stopped")) found.push(`stopped_at is ${stopped_at} in ${state}`);
  if (state === "queued" && (acknowledged_at ?? started_at ?? latest_heartbeat_at ?? stop_requested_at) !== null) {
    found.push("a queued item carries stamps of an owner");
  }
  if (state === "active" && (started_at === null || latest_heartbeat_at === null)) found.push("active without a start");
  if (RANK[state] < RANK.stopping && stop_requested_at !== null) found.push(`a stop request in ${state}`);
  return found;
}

export const ITEM_CHECKS: Readonly<Record<string, Check>> = {
  singleDelivery,
  singleOwner,
  ackIsCompareAndSet,
  startsOnce,
  beatsFormAChain,
  beatsIncrease,
  fencing,
  noResurrection,
  stopTable,
  stampOrder,
};

/** Every violation of what holds for one item, by item and check. */
export function checkItems(calls: readonly Recorded[], rules: Rules): Violation[] {
  return byItem(calls).flatMap((history) =>
    Object.entries(ITEM_CHECKS).flatMap(([check, run]) =>
      run(history, rules).map((message) => ({ check, item: history.id, message })),
    ),
  );
}
