import { describe, expect, it } from "vitest";
import { callsIn, take } from "./search/calls.ts";
import { explore } from "./search/explore.ts";
import { INVARIANTS } from "./search/invariants.ts";
import { PLANTED_BUGS } from "./search/planted.ts";
import { futureOf } from "./search/same-future.ts";
import { CAPSTAN, type World } from "./search/world.ts";

/** Planted bugs have to show within so many steps. The search itself goes on until no state is left to be seen. */
const LEAST_DEPTH = 12;

/** One in so many of the states that the search skips is compared with the one that stood for it. */
const SAMPLE = 307;

/** Everything that can come next: the call, its answer, and what the future depends on afterwards. */
const waysOn = (world: World): string[] =>
  callsIn(world, CAPSTAN).map((call) => {
    const { after, outcome } = take(world, call, CAPSTAN);
    return `${call.type} ${call.by} ${outcome.refused?.kind}: ${futureOf(after)}`;
  });

const invariant = (number: number) => INVARIANTS.filter(({ name }) => name.startsWith(`${number} `));

describe("every order of calls on one item by two workers and an operator", () => {
  it("keeps invariants 1 to 10, however long the history is", () => {
    let skips = 0;
    const found = explore(CAPSTAN, INVARIANTS, Number.POSITIVE_INFINITY, (world, known) => {
      // A state may be skipped only when the same calls lead it and the one that stands for it to the same places.
      if (++skips % SAMPLE === 0) expect(waysOn(world)).toEqual(waysOn(known));
    });
    expect(found.violation).toBeUndefined();
    expect(found.exhausted).toBe(true);
    expect(found.depth).toBeGreaterThanOrEqual(LEAST_DEPTH);
  }, 120_000);
});

describe("a planted bug", () => {
  it("exists for each invariant", () => {
    const numbers = new Set(PLANTED_BUGS.map(({ breaks }) => breaks));
    expect([...numbers].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const number of numbers) expect(invariant(number)).toHaveLength(1);
  });

  it.each(PLANTED_BUGS)("is found by the checker of invariant $breaks: $bug", ({ breaks, symptom, system }) => {
    expect(explore(system, invariant(breaks), LEAST_DEPTH).violation?.problem).toContain(symptom);
  });
});
