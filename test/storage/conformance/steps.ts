import fc from "fast-check";
import type { CommandInput, CommandName } from "../../../src/core/commands/index.ts";
import type { NewEvent } from "../../../src/core/turn.ts";
import { agentEvent, MESSAGE } from "./support.ts";

/** Ids by the order of their creation, which is the same in every store that was told the same. */
export interface Known {
  readonly environments: readonly string[];
  readonly sessions: readonly string[];
  readonly works: readonly { readonly id: string; readonly environmentId: string; readonly beat: number | null }[];
}

type Named = { [K in CommandName]: { readonly name: K; readonly input: CommandInput<K> } }[CommandName];

/** A command that names things by their number, so that it means the same to two stores; `undefined`: nothing to name. */
export interface Step {
  readonly text: string;
  command(known: Known): Named | undefined;
}

const EVENTS: readonly NewEvent[] = [
  MESSAGE,
  agentEvent(),
  { type: "user.interrupt", payload: {}, needsAgent: false },
  { type: "user.tool_result", payload: { tool_use_id: "evt_1" }, needsAgent: false },
];

const USER = { role: "user" } as const;
const number = fc.nat(11);
const worker = fc.constantFrom(null, "w1", "w2");
const pick = <T>(list: readonly T[], n: number): T | undefined =>
  list.length === 0 ? undefined : list[n % list.length];

function step<K extends CommandName>(
  name: K,
  arbitrary: fc.Arbitrary<Record<string, unknown>>,
  input: (given: never, known: Known) => CommandInput<K> | undefined,
): fc.Arbitrary<Step> {
  return arbitrary.map((given) => ({
    text: `${name} ${JSON.stringify(given)}`,
    command: (known) => {
      const made = input(given as never, known);
      return made && ({ name, input: made } as unknown as Named);
    },
  }));
}

const onSession = <K extends CommandName>(name: K, weight: number) => ({
  weight,
  arbitrary: step(name, fc.record({ n: number }), ({ n }: { n: number }, { sessions }) => {
    const sessionId = pick(sessions, n);
    return sessionId === undefined ? undefined : ({ sessionId } as CommandInput<K>);
  }),
});

function onWork<K extends CommandName>(
  name: K,
  weight: number,
  given: Record<string, fc.Arbitrary<unknown>>,
  more: (given: Record<string, unknown>, beat: number | null) => Record<string, unknown> = (rest) => rest,
) {
  const arbitrary = step(name, fc.record({ n: number, ...given }), (chosen: Record<string, unknown>, { works }) => {
    const { n, ...rest } = chosen;
    const work = pick(works, n as number);
    if (work === undefined) return undefined;
    return { environmentId: work.environmentId, workId: work.id, ...more(rest, work.beat) } as CommandInput<K>;
  });
  return { weight, arbitrary };
}

const EXPECTED = { none: null, any: undefined, wrong: 1 };

/** Everything that happens to a queue, the frequent things more often. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: step(
      "createSession",
      fc.record({ n: number, events: fc.subarray([...EVENTS], { maxLength: 2 }) }),
      ({ n, events }: { n: number; events: NewEvent[] }, { environments }) => ({
        environmentId: pick(environments, n) as string,
        agent: null,
        title: null,
        metadata: {},
        initialEvents: events,
      }),
    ),
  },
  {
    weight: 6,
    arbitrary: step(
      "sendEvents",
      fc.record({
        n: number,
        events: fc.subarray([...EVENTS], { minLength: 1 }),
        workerId: worker,
        user: fc.boolean(),
      }),
      (
        { n, events, workerId, user }: { n: number; events: NewEvent[]; workerId: string | null; user: boolean },
        { sessions },
      ) => {
        const sessionId = pick(sessions, n);
        if (sessionId === undefined) return undefined;
        return { sessionId, events, sender: user ? USER : ({ role: "worker", workerId } as const) };
      },
    ),
  },
  {
    weight: 10,
    arbitrary: step(
      "poll",
      fc.record({ n: number, workerId: worker, reclaimOlderThanMs: fc.constantFrom(0, 1_000, 5_000) }),
      ({ n, ...rest }: { n: number; workerId: string | null; reclaimOlderThanMs: number }, { environments }) => ({
        environmentId: pick(environments, n) as string,
        ...rest,
      }),
    ),
  },
  onSession("cancelSession", 1),
  onSession("archiveSession", 1),
  onSession("deleteSession", 1),
  onWork("ack", 8, { workerId: worker }),
  onWork(
    "heartbeat",
    8,
    {
      workerId: worker,
      expected: fc.constantFrom("none", "any", "last", "wrong"),
      ttlSeconds: fc.constantFrom(10, 20),
      declaredRetry: fc.boolean(),
      idempotencyKey: fc.constantFrom(null, "k"),
    },
    (given, beat) => ({
      ...given,
      expected: given.expected === "last" ? beat : EXPECTED[given.expected as keyof typeof EXPECTED],
    }),
  ),
  onWork("stop", 4, { workerId: worker, force: fc.boolean() }),
  onWork("release", 3, { workerId: worker, delayMs: fc.constantFrom(0, 2_000) }),
  onWork("updateWork", 1, { metadata: fc.constantFrom(undefined, { a: "1" }, { a: null, b: "2" }) }),
  onWork("takeBackDelivery", 1, { handOut: fc.constantFrom(1, 2, 3) }),
  {
    weight: 4,
    arbitrary: step("sweep", fc.record({ limit: fc.constantFrom(1, 100) }), (given: { limit: number }) => given),
  },
);
