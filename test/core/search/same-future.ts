import type { Micros } from "../../../src/core/time.ts";
import { SECOND } from "../support/items.ts";
import { POLICY, WINDOW, WORKERS, type WorkerId } from "./setting.ts";
import type { World } from "./world.ts";

/**
 * What the future of a world depends on, as text: two worlds with the same text need to be explored once.
 *
 * - Instants from which something is counted stand as their distance from now; what is over for good is all the same.
 * - Stamps stand as whether the answers agree with them and by how many seconds they are ahead of now, where they are:
 *   the rules compare them with nothing else.
 * - Heartbeats stand as what a comparison can tell: the last one, the one that it replaced, none, or a dead one. A dead
 *   value cannot come back because heartbeats ascend, which the search checks at each step.
 * - Of hand-outs only one thing counts: whether a worker had none, the current one or an earlier one.
 */
export function futureOf(world: World): string {
  const { item, ledger } = world;
  const owners = [
    item.state,
    item.holder,
    item.formerHolder,
    item.deliveredTo,
    ledger.owner,
    ledger.delivered?.to,
    ledger.stopped,
    world.steppedBack,
    ...WORKERS.map((worker) => world.beliefs[worker].sent === undefined),
    ...WORKERS.flatMap((worker) => [
      handOutOf(ledger.lastHandOut[worker], ledger.handOut),
      handOutOf(ledger.lastOwned[worker], ledger.handOut),
    ]),
  ];
  // Nothing that a heartbeat, a stamp or the time could change: all of that is refused or answered as it stands.
  if (item.state === "stopped" && ledger.stopped) return owners.join("|");
  return [...owners, ...instants(world), ...stamps(world), ...heartbeats(world), ledger.accepted.join()].join("|");
}

const handOutOf = (handOut: number, current: number): string =>
  handOut === 0 ? "none" : handOut === current ? "current" : "earlier";

function instants({ item, ledger, now, steppedBack }: World): unknown[] {
  // The clock may step back once, by a second: what is over for less than that may come again.
  const slack = steppedBack ? 0 : SECOND;
  const away = (instant: Micros | null | undefined, matters: Micros) =>
    instant === null || instant === undefined ? "never" : Math.max(instant - now, -matters - slack);
  const drain = POLICY.drainSeconds * SECOND;
  return [
    item.attempts,
    away(item.deliveredAt, WINDOW),
    away(item.availableAt, 0),
    away(item.deadlineAt, 0),
    item.sweepAt !== null && item.deadlineAt !== null && item.sweepAt <= item.deadlineAt,
    away(item.stopRequestedAt, drain),
    away(ledger.delivered?.at, WINDOW),
    away(ledger.availableAt, 0),
    away(ledger.leaseEnd, 0),
    away(ledger.stopRequestedAt, drain),
  ];
}

function stamps({ item, ledger, now, steppedBack }: World): unknown[] {
  const slack = steppedBack ? 0 : 1;
  // Time moves in whole seconds, and a stamp runs ahead of it by a second at most, plus a microsecond per heartbeat.
  const later = (stamp: Micros | null) =>
    stamp === null ? "none" : Math.max(-slack, Math.ceil((stamp - now) / SECOND));
  return [
    later(item.createdAt),
    later(item.acknowledgedAt),
    later(item.startedAt),
    Math.max(-1 - slack, Math.floor((item.heartbeatFloor - now) / SECOND)),
    item.acknowledgedAt === ledger.acknowledgedAt,
    item.startedAt === ledger.startedAt,
    item.heartbeatFloor === ledger.greatestBeat,
  ];
}

function heartbeats({ item, ledger, beliefs }: World): unknown[] {
  const seenAs = (value: Micros | null | undefined) => {
    if (value === undefined || value === null) return String(value);
    if (value === item.latestHeartbeatAt) return "last";
    return value === item.beat?.replaced ? "replaced" : "dead";
  };
  const known = (worker: WorkerId) => [seenAs(beliefs[worker].sees), seenAs(beliefs[worker].sent)];
  return [
    item.latestHeartbeatAt === null,
    item.beat === null ? "unbeaten" : item.beat.replaced === null,
    ledger.beat === null ? "unbeaten" : seenAs(ledger.beat.at),
    ledger.beat === null ? "unbeaten" : seenAs(ledger.beat.replaced),
    ...WORKERS.flatMap(known),
  ];
}
