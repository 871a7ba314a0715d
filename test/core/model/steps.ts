import fc from "fast-check";
import { DEFAULT_RECLAIM_MS } from "../../../src/core/lease.ts";
import type { WorkRecord } from "../../../src/core/records.ts";
import type { WorkState } from "../../../src/core/transitions.ts";
import type { PureCall, PureUnits } from "../../support/pure-unit.ts";
import { POLICY, value } from "../support/items.ts";
import { event } from "../support/scenario.ts";

/** One thing that somebody does, with numbers that choose among what exists when its turn comes. */
export interface ModelStep {
  readonly kind: (typeof KINDS)[number] | "time";
  /** Which worker; the last one is nobody in particular. */
  readonly who: number;
  readonly which: number;
  readonly how: number;
}

const KINDS = [
  ...["open", "say", "say", "say", "poll", "poll", "poll", "poll", "ack", "ack", "ack", "ack", "ack"],
  ...["beat", "beat", "beat", "reply", "reply", "stop", "stop", "release", "cancel", "archive", "delete"],
  ...["sweep", "sweep", "sweep", "patch", "takeBack"],
] as const;
const WORKERS = ["w1", "w2", "w3", null] as const;
/** Seconds: within a window, over it, over a lease, over everything, and back. */
const PASSES = [1, 6, 61, 61, 700, -30];

const some = fc.nat({ max: 999 });
const call = fc.record({ kind: fc.constantFrom(...KINDS), who: fc.nat({ max: 3 }), which: some, how: some });
const time = fc.record({ kind: fc.constant("time" as const), who: fc.constant(0), which: fc.constant(0), how: some });

export const modelCall = call as fc.Arbitrary<ModelStep>;
export const modelStep = fc.oneof(
  { weight: 5, arbitrary: modelCall },
  { weight: 1, arbitrary: time },
) as fc.Arbitrary<ModelStep>;

/** Three environments: one as it comes, one that gives up at once and drains soon, one that never gives up. */
export function found(units: PureUnits): string[] {
  return [POLICY, { maxAttempts: 1, startSeconds: 30, drainSeconds: 20 }, { ...POLICY, maxAttempts: 0 }].map(
    (policy) => {
      const input = { name: "e", description: "", config: {}, selfHosted: true, policy, metadata: {} };
      return value(units.run("createEnvironment", input)).id;
    },
  );
}

export const secondsOf = (step: ModelStep): number => PASSES[step.how % PASSES.length] as number;

const pick = <T>(choices: readonly T[], number: number): T | undefined => choices[number % Math.max(1, choices.length)];

/** States in which a call can do something: items in others are chosen now and then only. */
const FITTING: Readonly<Record<string, readonly WorkState[]>> = {
  ack: ["queued"],
  takeBack: ["queued"],
  beat: ["starting", "active", "stopping"],
  stop: ["starting", "active", "stopping"],
  release: ["starting", "active"],
};

/** The call that a step stands for, or `undefined` when there is nothing yet that it could be about. */
export function callOf(step: ModelStep, units: PureUnits, environments: readonly string[]): PureCall | undefined {
  const { kind, which, how } = step;
  const workerId = WORKERS[step.who] ?? null;
  const environmentId = pick(environments, which) as string;
  switch (kind) {
    case "time":
      return undefined;
    case "open": {
      const initialEvents = how % 3 === 0 ? [] : [event("user.message")];
      return { name: "createSession", input: { environmentId, agent: null, title: null, metadata: {}, initialEvents } };
    }
    case "poll": {
      // No window of nothing: within one instant it would make a difference whether polls share a commit.
      const reclaimOlderThanMs = how % 4 === 0 ? 1 : DEFAULT_RECLAIM_MS;
      return { name: "poll", input: { environmentId, workerId, reclaimOlderThanMs } };
    }
    case "sweep":
      return { name: "sweep", input: { limit: 1_000 } };
    case "say":
    case "reply":
    case "cancel":
    case "archive":
    case "delete":
      return sessionCall(step, units, workerId);
    default:
      return workCall(step, units, workerId);
  }
}

function sessionCall(step: ModelStep, units: PureUnits, workerId: string | null): PureCall | undefined {
  // Sessions that still take input are chosen as a rule, and the others now and then.
  const all = [...units.sessions.values()];
  const open = all.filter((session) => session.archivedAt === null && session.deletedAt === null);
  const sessionId = pick(step.how % 8 === 0 || open.length === 0 ? all : open, step.which)?.id;
  if (sessionId === undefined) return undefined;
  switch (step.kind) {
    case "say": {
      const types = ["user.message", "user.message", "user.interrupt", "user.tool_confirmation"];
      const events = [event(types[step.how % types.length] as string)];
      return { name: "sendEvents", input: { sessionId, events, sender: { role: "user" } } };
    }
    case "reply": {
      const events = [event(step.how % 3 === 0 ? "span.step" : "agent.message")];
      const holder = units.works.get(units.sessions.get(sessionId)?.liveWorkId ?? "")?.holder ?? workerId;
      const sender = { role: "worker" as const, workerId: step.how % 5 === 0 ? workerId : holder };
      return { name: "sendEvents", input: { sessionId, events, sender } };
    }
    case "cancel":
      return { name: "cancelSession", input: { sessionId } };
    // Ends are rare, so that sessions live long enough for something to happen.
    case "archive":
      return step.how % 4 === 0 ? { name: "archiveSession", input: { sessionId } } : undefined;
    default:
      return step.how % 4 === 0 ? { name: "deleteSession", input: { sessionId } } : undefined;
  }
}

function workCall(step: ModelStep, units: PureUnits, workerId: string | null): PureCall | undefined {
  const all = [...units.works.values()];
  const fitting = all.filter((work) => FITTING[step.kind]?.includes(work.state) ?? true);
  const item = pick(step.how % 9 === 0 ? all : fitting, step.which);
  if (item === undefined) return undefined;
  const target = { environmentId: item.environmentId, workId: item.id };
  // The worker that has it, as a rule: strangers are refused and teach little.
  const by = step.how % 4 === 0 ? workerId : (item.holder ?? item.deliveredTo ?? workerId);
  switch (step.kind) {
    case "ack":
      return { name: "ack", input: { ...target, workerId: by } };
    case "beat": {
      const expected = step.how % 5 === 0 ? null : step.how % 7 === 0 ? undefined : item.latestHeartbeatAt;
      const declaredRetry = step.how % 6 === 0;
      const rest = { ttlSeconds: 10 + (step.how % 90), declaredRetry, idempotencyKey: null };
      return { name: "heartbeat", input: { ...target, workerId: by, expected, ...rest } };
    }
    case "stop":
      return {
        name: "stop",
        input: { ...target, workerId: by, force: step.how % 7 === 0, ...told(step, units, item) },
      };
    case "release":
      return { name: "release", input: { ...target, workerId: by, delayMs: step.how % 2 === 0 ? 0 : 2_000 } };
    case "takeBack":
      return { name: "takeBackDelivery", input: { ...target, handOut: item.handOut } };
    default:
      return { name: "updateWork", input: { ...target, metadata: { [`k${step.how % 5}`]: "v" } } };
  }
}

/** What a worker says it has dealt with: nothing, some event of its session, or one that does not exist yet. */
function told(step: ModelStep, units: PureUnits, item: WorkRecord): { processedThrough?: string } {
  if (step.how % 3 !== 0) return {};
  const events = units.eventsOf(item.sessionId);
  const processedThrough = step.how % 5 === 0 ? `evt_${"f".repeat(32)}` : pick(events, step.which)?.id;
  return processedThrough === undefined ? {} : { processedThrough };
}
