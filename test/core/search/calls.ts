import type { Decision, WorkCommand } from "../../../src/core/decide.ts";
import { done, type Outcome } from "../../../src/core/faults.ts";
import type { Micros } from "../../../src/core/time.ts";
import { ack, deliver, heartbeat, lapse, release, SECOND, stop } from "../support/items.ts";
import { drainLimit, record } from "./ledger.ts";
import { POLICY, RELEASE_DELAY_MS, TTL_SECONDS, WINDOW, WORKERS, type WorkerId } from "./setting.ts";
import type { Belief, Call, Step, System, World } from "./world.ts";

const BY_WORKERS = WORKERS.flatMap((by): Call[] =>
  (["ack", "release", "releaseLater", "heartbeat", "heartbeatReplyLost", "heartbeatRetry"] as const).map((type) => ({
    type,
    by,
  })),
);
const STOPS = [null, ...WORKERS].flatMap((by): Call[] => [
  { type: "stop", by },
  { type: "forceStop", by },
]);
const DELIVERIES = WORKERS.map((by): Call => ({ type: "deliver", by }));

/** Every call that can come next. Whoever picks items by their state is modelled by what it picks, as in the store. */
export function callsIn(world: World, system: System): Call[] {
  const { item, now } = world;
  const calls = [...BY_WORKERS, ...STOPS];
  if (system.isClaimable(item, now, WINDOW)) calls.push(...DELIVERIES);
  if (world.ledger.delivered !== null) calls.push({ type: "undeliver", by: null });
  if (item.deadlineAt !== null && item.deadlineAt <= now) calls.push({ type: "lapse", by: null });
  if (nextInstant(world) !== undefined) calls.push({ type: "timePasses", by: null });
  if (!world.steppedBack) calls.push({ type: "clockStepsBack", by: null });
  return calls.filter((call) => call.type !== "heartbeatRetry" || world.beliefs[call.by].sent !== undefined);
}

/** The next instant at which anything can be different. */
function nextInstant({ item, now, ledger }: World): Micros | undefined {
  const instants = [
    item.state === "queued" && item.deliveredAt !== null ? item.deliveredAt + WINDOW : null,
    item.availableAt,
    item.deadlineAt,
    item.state === "stopping" && ledger.stopRequestedAt !== null ? drainLimit(ledger.stopRequestedAt) : null,
  ].filter((instant) => instant !== null && instant > now);
  return instants.length === 0 ? undefined : Math.min(...(instants as Micros[]));
}

function commandOf(call: Call, world: World): WorkCommand | undefined {
  const ttlSeconds = TTL_SECONDS;
  switch (call.type) {
    case "deliver":
      return deliver(call.by);
    case "ack":
      return ack(call.by);
    case "heartbeat":
    case "heartbeatReplyLost":
      return heartbeat(call.by, world.beliefs[call.by].sees, { ttlSeconds });
    case "heartbeatRetry":
      return heartbeat(call.by, world.beliefs[call.by].sent, { ttlSeconds, retry: true });
    case "stop":
    case "forceStop":
      return stop(call.by, call.type === "forceStop");
    case "release":
      return release(call.by);
    case "releaseLater":
      return release(call.by, RELEASE_DELAY_MS);
    case "lapse":
      return lapse;
    default:
      return undefined;
  }
}

/** Makes one step. A rule that throws is a defect in itself, and ends the search. */
export function take(world: World, call: Call, system: System): Step {
  if (call.type === "timePasses") return moved(world, call, { ...world, now: nextInstant(world) ?? world.now });
  if (call.type === "clockStepsBack") {
    return moved(world, call, { ...world, now: world.now - SECOND, steppedBack: true });
  }
  const command = commandOf(call, world);
  const outcome: Outcome<Decision> =
    command === undefined
      ? done({ item: system.undeliver(world.item, world.item.handOut) ?? world.item, changed: true })
      : system.decide(world.item, command, world.now, POLICY);
  const answered = outcome.refused ? world : { ...world, item: outcome.value.item };
  const ledger = outcome.refused ? world.ledger : record(world.ledger, call, answered);
  const after: World = { ...answered, ledger, beliefs: learn(world, call, command, answered, outcome) };
  return { call, command, before: world, after, outcome };
}

const moved = (before: World, call: Call, after: World): Step => ({
  call,
  command: undefined,
  before,
  after,
  outcome: done({ item: before.item, changed: false }),
});

/** What the calling worker knows afterwards. */
function learn(
  before: World,
  call: Call,
  command: WorkCommand | undefined,
  after: World,
  outcome: Outcome<Decision>,
): World["beliefs"] {
  const by = call.by;
  const update = (worker: WorkerId, belief: Belief) => ({ ...before.beliefs, [worker]: belief });
  if (by === null) return before.beliefs;
  if (call.type === "ack" && !outcome.refused && before.ledger.owner === null) {
    // A call of an earlier hand-out may still be on its way: `sent` is kept, so that it can come again.
    return update(by, { ...before.beliefs[by], sees: null });
  }
  if (command?.type !== "heartbeat") return before.beliefs;
  const sent = command.expected;
  const answered = !outcome.refused && call.type !== "heartbeatReplyLost";
  return update(by, { sees: answered ? after.item.latestHeartbeatAt : before.beliefs[by].sees, sent });
}
