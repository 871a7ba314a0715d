/** Checks of a recorded history against what is there when everything has come to rest. */
import type { Session, SessionEvent, Work, WorkQueueStats } from "../../src/contract/shapes.ts";
import { byItem, precedes, type Recorded, type Violation } from "./history.ts";

/** Everything that one environment holds, read while nobody changed it. */
export interface Rest {
  readonly works: readonly Work[];
  readonly sessions: readonly Session[];
  /** By session. */
  readonly events: ReadonlyMap<string, readonly SessionEvent[]>;
  readonly stats: WorkQueueStats;
}

const violation = (check: string, item: string, message: string): Violation => ({ check, item, message });
const ORDER: readonly Work["state"][] = ["queued", "starting", "active", "stopping", "stopped"];

/** 11. Whatever was answered is there, in exactly one state, and no earlier than it was shown. */
export function nothingLost(calls: readonly Recorded[], rest: Rest): Violation[] {
  const check = "nothingLost";
  const found: Violation[] = [];
  const sessions = new Set(rest.sessions.map(({ id }) => id));
  for (const call of calls) {
    if (call.verb === "create" && call.status === 200 && !sessions.has(call.session ?? "")) {
      found.push(violation(check, call.session ?? "", "a session that was answered is gone"));
    }
  }
  for (const history of byItem(calls)) {
    if (history.accepted.length === 0) continue;
    const kept = rest.works.filter((work) => work.id === history.id);
    const [work] = kept;
    if (kept.length !== 1 || work === undefined) {
      found.push(violation(check, history.id, `it is there ${kept.length} times`));
      continue;
    }
    const shown = Math.max(...history.accepted.map((call) => ORDER.indexOf(call.work?.state ?? "queued")));
    // Up to active an item may go back into the queue; from the stop request on it only goes on.
    if (shown >= ORDER.indexOf("stopping") && ORDER.indexOf(work.state) < shown) {
      found.push(violation(check, history.id, `it was ${ORDER[shown]}, and is ${work.state}`));
    }
  }
  return found;
}

/** 12. At most one live item per session; none where nothing is left to do, and no message unanswered then. */
export function oneLiveItem(rest: Rest): Violation[] {
  const check = "oneLiveItem";
  const found: Violation[] = [];
  const live = new Map<string, string[]>();
  for (const work of rest.works) {
    if (work.state !== "stopped") live.set(work.data.id, [...(live.get(work.data.id) ?? []), work.id]);
  }
  for (const [session, items] of live) {
    if (items.length > 1) found.push(violation(check, session, `it has the live items ${items.join(" and ")}`));
  }
  for (const session of rest.sessions) {
    const waiting = live.has(session.id);
    const ended = session.archived_at !== null;
    if (waiting && ended) found.push(violation(check, session.id, "it is archived and has a live item"));
    if (!ended && waiting === (session.status === "idle")) {
      found.push(violation(check, session.id, `it is ${session.status} ${waiting ? "with" : "without"} a live item`));
    }
    if (waiting || ended) continue;
    for (const event of rest.events.get(session.id) ?? []) {
      if (event.type !== "user.message" || event.processed_at !== null) continue;
      found.push(violation(check, session.id, `${event.id} was left unanswered`));
    }
  }
  return found;
}

/** 14. What was made is the sum over the states, and the stats say what a recount says. */
export function conservation(calls: readonly Recorded[], rest: Rest): Violation[] {
  const check = "conservation";
  const found: Violation[] = [];
  const known = new Set(rest.sessions.map(({ id }) => id));
  const made = calls.filter(
    ({ verb, status, session }) => verb === "create" && status === 200 && known.has(session ?? ""),
  );
  const served = new Set(rest.works.map((work) => work.data.id));
  for (const { session } of made) {
    if (!served.has(session ?? "")) found.push(violation(check, session ?? "", "its first item is gone"));
  }
  const queued = rest.works.filter(({ state }) => state === "queued");
  const { depth, pending, oldest_queued_at: oldest } = rest.stats;
  if (depth + pending !== queued.length) {
    found.push(violation(check, "", `stats count ${depth} + ${pending} queued items, the list has ${queued.length}`));
  }
  const first = queued.map((work) => work.created_at).sort()[0] ?? null;
  if (oldest !== first)
    found.push(violation(check, "", `stats say the oldest is of ${oldest}, the list says ${first}`));
  return found;
}

/** 20. Of two items that were there, the older one is delivered first. What was released or came later has no say in it. */
export function firstInFirstOut(calls: readonly Recorded[]): Violation[] {
  const made = new Map<string, Recorded>();
  for (const call of calls) if (call.verb === "create" && call.session !== null) made.set(call.session, call);
  const deliveries = firstDeliveries(calls);
  const found: Violation[] = [];
  for (const early of deliveries) {
    for (const late of deliveries) {
      if (late.environment !== early.environment || (late.item ?? "") >= (early.item ?? "")) continue;
      const origin = made.get(late.session ?? "");
      if (origin === undefined || !precedes(origin, early) || !precedes(early, late)) continue;
      found.push(
        violation("firstInFirstOut", late.item ?? "", `${early.item} was delivered before it, although it waited`),
      );
    }
  }
  return found;
}

/** The first delivery of each session's first item: the one whose creation was recorded. */
function firstDeliveries(calls: readonly Recorded[]): Recorded[] {
  const found = new Map<string, Recorded>();
  for (const call of calls) {
    if (call.verb !== "poll" || call.work === null) continue;
    const known = found.get(call.work.data.id);
    const isOlder = known === undefined || call.work.id < (known.item ?? "");
    if (isOlder || (call.work.id === known?.item && call.start < known.start)) found.set(call.work.data.id, call);
  }
  return [...found.values()];
}
