import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Outcome } from "../../../src/core/faults.ts";
import type { StorageHarness } from "./harness.ts";
import { ReferenceStore } from "./reference.ts";
import { anyStep, type Known, type Step } from "./steps.ts";
import { Bench } from "./support.ts";

const PAGE = { limit: 1_000, order: "ascending" } as const;
const ID = /\b(?:env|sess|work|evt)_[0-9a-f]{32}\b/g;

/** Steps that share a commit, and how long nothing happens after it. */
const anyRound = fc.record({
  steps: fc.array(anyStep, { minLength: 1, maxLength: 4 }),
  pauseMs: fc.constantFrom(0, 0, 1, 1_000, 2_500, 10_000),
});
type Round = typeof anyRound extends fc.Arbitrary<infer T> ? T : never;

export function modelTests(harness: StorageHarness): void {
  describe("whatever it is told", () => {
    it("gives the same answers as a store that looks at every row, and holds the same rows in the end", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(anyRound, { minLength: 5, maxLength: 30 }), async (rounds) => {
          const bench = await Bench.open(harness);
          try {
            await compare(bench, rounds);
          } finally {
            await bench.dispose();
          }
        }),
        { numRuns: harness.kind === "sqlite" ? 60 : 20, verbose: true },
      );
    }, 120_000);
  });
}

async function compare(bench: Bench, rounds: readonly Round[]): Promise<void> {
  const reference = new ReferenceStore(bench.clock);
  const environments: { subject: string[]; reference: string[] } = { subject: [], reference: [] };
  for (let n = 0; n < 2; n++) {
    const { id, createdAt: _, ...made } = await bench.environment({ maxAttempts: 2, startSeconds: 3, drainSeconds: 5 });
    environments.subject.push(id);
    const outcome = await reference.execute("createEnvironment", made);
    if (!outcome.refused) environments.reference.push(outcome.value.id);
  }
  for (const { steps, pauseMs } of rounds) {
    const [expected, actual] = await Promise.all([
      answers(reference.execute, steps, knownToReference(reference, environments.reference)),
      answers(bench.store.execute.bind(bench.store), steps, await knownToStore(bench, environments.subject)),
    ]);
    expect(numbered(actual), steps.map((step) => step.text).join("; ")).toEqual(numbered(expected));
    bench.clock.advanceMicros(pauseMs * 1_000);
  }
  expect(numbered(await rowsOfStore(bench, environments.subject))).toEqual(
    numbered(rowsOfReference(reference, environments.reference)),
  );
}

type Execute = ReferenceStore["execute"];

async function answers(execute: Execute, steps: readonly Step[], known: Known): Promise<Outcome<unknown>[]> {
  const calls = steps.map((step) => step.command(known));
  return Promise.all(calls.flatMap((call) => (call === undefined ? [] : [execute(call.name, call.input as never)])));
}

/**
 * Ids are random in each store: what counts is which is which. Whether a claim left `more` behind is a hint, which need not
 * count what was delivered before: what has to be said is among the tests of claims.
 */
function numbered(value: unknown): unknown {
  const numbers = new Map<string, string>();
  const told = (key: string, part: unknown) => (key === "more" ? undefined : (part ?? null));
  const text = JSON.stringify(value, told).replace(ID, (id) => {
    const number = numbers.get(id) ?? `${id.split("_")[0]} ${numbers.size}`;
    numbers.set(id, number);
    return number;
  });
  return JSON.parse(text);
}

function knownToReference(reference: ReferenceStore, environments: readonly string[]): Known {
  const works = environments.flatMap((id) => [...reference.works.values()].filter((w) => w.environmentId === id));
  return {
    environments,
    sessions: [...reference.sessions.values()].filter((s) => s.deletedAt === null).map((s) => s.id),
    works: works.map((work) => ({ ...work, beat: work.latestHeartbeatAt })),
  };
}

async function knownToStore(bench: Bench, environments: readonly string[]): Promise<Known> {
  const works = [];
  for (const id of environments) works.push(...(await bench.store.listWork(id, PAGE, {})).data);
  return {
    environments,
    sessions: (await bench.store.listSessions(PAGE, { includeArchived: true })).data.map((session) => session.id),
    works: works.map((work) => ({ ...work, beat: work.latestHeartbeatAt })),
  };
}

async function rowsOfStore(bench: Bench, environments: readonly string[]): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (const id of environments) rows.push((await bench.store.listWork(id, PAGE, {})).data);
  for (const session of (await bench.store.listSessions(PAGE, { includeArchived: true })).data) {
    rows.push(session, (await bench.store.listEvents(session.id, PAGE, {})).data);
  }
  return rows;
}

function rowsOfReference(reference: ReferenceStore, environments: readonly string[]): unknown[] {
  const rows: unknown[] = environments.map((id) =>
    [...reference.works.values()].filter((work) => work.environmentId === id),
  );
  for (const session of reference.sessions.values()) {
    if (session.deletedAt !== null) continue;
    rows.push(
      session,
      reference.events.filter((event) => event.sessionId === session.id),
    );
  }
  return rows;
}
