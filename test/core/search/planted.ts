/** Bugs to find: for each invariant, rules bent the way that a plausible mistake would bend them. */
import { done } from "../../../src/core/faults.ts";
import { SECOND } from "../support/items.ts";
import { changed, judging, leaving, type PlantedBug, planted } from "./bend.ts";
import { TTL_SECONDS } from "./setting.ts";
import { CAPSTAN } from "./world.ts";

const DELIVERY_BUGS = [
  planted(1, "an item that is starting is handed out", "delivered while", {
    isClaimable: (item, now, window) => item.state === "starting" || CAPSTAN.isClaimable(item, now, window),
    decide: (item, command, now, policy) =>
      command.type === "deliver" && item.state === "starting"
        ? changed({ ...item, handOut: item.handOut + 1 })
        : CAPSTAN.decide(item, command, now, policy),
  }),
  planted(1, "the window of an unacknowledged delivery is ignored", "within the window", {
    isClaimable: (item, now) => CAPSTAN.isClaimable(item, now, 0),
  }),
  planted(
    1,
    "the delay of a release is forgotten",
    "before the delay was over",
    leaving((after) => ({ ...after, availableAt: null })),
  ),
  planted(
    1,
    "a lease lapses early",
    "lapsed early",
    leaving((after) => (after.deadlineAt === null ? after : { ...after, deadlineAt: after.deadlineAt - SECOND })),
  ),
];

const OWNER_BUGS = [
  planted(
    2,
    "a heartbeat takes over what another worker holds",
    "accepted of w1 and w2",
    judging((item, command) => [item, command.type === "heartbeat" ? { ...command, workerId: null } : command]),
  ),
  planted(
    2,
    "an ack of another worker is accepted in starting",
    "accepted of w1 and w2",
    judging((item, command) => [
      item,
      command.type === "ack" && item.state === "starting" ? { ...command, workerId: item.holder } : command,
    ]),
  ),
  planted(
    3,
    "an ack is not compared with the delivery",
    "w2 acked what w1 has",
    judging((item, command) => [command.type === "ack" ? { ...item, deliveredTo: null } : item, command]),
  ),
  planted(
    3,
    "a repeated ack renews its stamp",
    "a repeated ack changed the item",
    leaving((after, before, command, now) =>
      command.type === "ack" && before.state === "starting" ? { ...after, acknowledgedAt: now } : after,
    ),
  ),
  planted(3, "an ack of a stopping item is accepted", "acked after the end", {
    decide: (item, command, now, policy) =>
      command.type === "ack" && item.state === "stopping"
        ? done({ item, changed: false })
        : CAPSTAN.decide(item, command, now, policy),
  }),
  planted(
    7,
    "a lapse forgets who held the item",
    "a hand-out that is over",
    leaving((after) => ({ ...after, formerHolder: null })),
  ),
  planted(
    7,
    "a late stop is compared with the last holder only",
    "a hand-out that is over",
    judging((item, command) => {
      const another = command.type === "stop" && command.workerId !== item.formerHolder;
      return [another ? { ...item, formerHolder: null } : item, command];
    }),
  ),
  planted(
    7,
    "a stop does not ask who sends it",
    "w2 changed what w1 has",
    judging((item, command) => [item, command.type === "stop" ? { ...command, workerId: null } : command]),
  ),
  planted(
    7,
    "a release does not ask who sends it",
    "w2 changed what w1 has",
    judging((item, command) => [item, command.type === "release" ? { ...command, workerId: null } : command]),
  ),
];

const HEARTBEAT_BUGS = [
  planted(
    4,
    "NO_HEARTBEAT is accepted at any time",
    "NO_HEARTBEAT was accepted",
    judging((item, command) => [
      item,
      command.type === "heartbeat" && command.expected === null ? { ...command, expected: undefined } : command,
    ]),
  ),
  planted(
    4,
    "every heartbeat starts the item anew",
    "started twice",
    leaving((after, _, command) =>
      command.type === "heartbeat" && after.state === "active"
        ? { ...after, startedAt: after.latestHeartbeatAt }
        : after,
    ),
  ),
  planted(
    5,
    "a heartbeat is not compared",
    "on another value was accepted",
    judging((item, command) => [
      item,
      command.type === "heartbeat" && !command.declaredRetry ? { ...command, expected: undefined } : command,
    ]),
  ),
  planted(
    5,
    "a repeated heartbeat extends the lease",
    "a repeated heartbeat wrote",
    leaving((after, before, command, now) => {
      const repeated = command.type === "heartbeat" && after === before;
      return repeated ? { ...after, deadlineAt: now + TTL_SECONDS * SECOND } : after;
    }),
  ),
  planted(
    5,
    "a declared retry is taken whatever it carries",
    "on another value was accepted",
    judging((item, command) => [
      item,
      command.type === "heartbeat" && command.declaredRetry ? { ...command, expected: item.beat?.replaced } : command,
    ]),
  ),
  planted(
    6,
    "a heartbeat is the clock's reading, also when that was used",
    "issued twice",
    leaving((after, before, command, now) =>
      command.type === "heartbeat" && after !== before ? { ...after, latestHeartbeatAt: now } : after,
    ),
  ),
  planted(
    6,
    "the greatest heartbeat is forgotten between hand-outs",
    "not greater than all before it",
    leaving((after) => (after.state === "queued" ? { ...after, heartbeatFloor: 0 } : after)),
  ),
];

const STOP_BUGS = [
  planted(8, "a stopping item whose lease runs out is queued again", "lapse made it queued", {
    decide: (item, command, now, policy) =>
      command.type === "lapse"
        ? CAPSTAN.decide({ ...item, state: "active" }, command, now, policy)
        : CAPSTAN.decide(item, command, now, policy),
  }),
  planted(
    8,
    "a release brings a stopping item back",
    "release made it queued",
    judging((item, command) => [
      command.type === "release" && item.state === "stopping" ? { ...item, state: "active" } : item,
      command,
    ]),
  ),
  planted(
    8,
    "a heartbeat turns stopping into active",
    "heartbeat made it active",
    leaving((after, _, command) => (command.type === "heartbeat" ? { ...after, state: "active" } : after)),
  ),
  planted(
    8,
    "a stopped item is stamped again by a late stop",
    "stop changed a stopped item",
    leaving((after, before, command, now) =>
      command.type === "stop" && before.state === "stopped" ? { ...after, stoppedAt: now } : after,
    ),
  ),
  planted(
    9,
    "the second stop does not finish a stopping item",
    "a stop made it stopping",
    leaving((after, before, command) => (command.type === "stop" && before.state === "stopping" ? before : after)),
  ),
  planted(
    9,
    "a forced stop is taken as a request",
    "a stop made it stopping",
    judging((item, command) => [item, command.type === "stop" ? { ...command, force: false } : command]),
  ),
  planted(
    9,
    "a stopping item is extended beyond its drain limit",
    "outlives its lease",
    leaving((after, _, command, now) =>
      command.type === "heartbeat" ? { ...after, deadlineAt: now + TTL_SECONDS * SECOND } : after,
    ),
  ),
];

const STAMP_BUGS = [
  planted(
    10,
    "a lapsed item keeps its acknowledgement",
    "a queued item with stamps",
    leaving((after, before) =>
      after.state === "queued" ? { ...after, acknowledgedAt: before.acknowledgedAt } : after,
    ),
  ),
  planted(
    10,
    "a forced stop is not noted as a request",
    "not the first request",
    leaving((after, before) =>
      after.state === "stopped" ? { ...after, stopRequestedAt: before.stopRequestedAt } : after,
    ),
  ),
  planted(
    10,
    "an ack follows a clock that has stepped back before the creation",
    "descend",
    leaving((after, _, command, now) => (command.type === "ack" ? { ...after, acknowledgedAt: now } : after)),
  ),
  planted(
    10,
    "a stopped item keeps its deadline",
    "a stopped item with deadline",
    leaving((after, before) => (after.state === "stopped" ? { ...after, deadlineAt: before.deadlineAt } : after)),
  ),
  planted(
    10,
    "a heartbeat does not extend the lease",
    "deadline off by",
    leaving((after, before, command) =>
      command.type === "heartbeat" ? { ...after, deadlineAt: before.deadlineAt } : after,
    ),
  ),
];

export const PLANTED_BUGS: readonly PlantedBug[] = [
  ...DELIVERY_BUGS,
  ...OWNER_BUGS,
  ...HEARTBEAT_BUGS,
  ...STOP_BUGS,
  ...STAMP_BUGS,
];
