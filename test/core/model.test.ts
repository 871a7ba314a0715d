import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PureCall, PureUnits } from "../support/pure-unit.ts";
import { RULES, snapshot } from "./model/rules.ts";
import { callOf, found, modelCall, modelStep, secondsOf } from "./model/steps.ts";
import { UnansweredInput } from "./model/unanswered.ts";

/** Everything that is stored, in a form that can be compared. */
const stored = (units: PureUnits) => ({
  sessions: [...units.sessions],
  works: [...units.works].sort(),
  events: units.events,
});

describe("several sessions and workers in three environments", () => {
  it("keep the invariants after every commit, whatever they do", () => {
    const history = fc.array(modelStep, { minLength: 60, maxLength: 120, size: "max" });
    fc.assert(
      fc.property(history, (steps) => {
        const units = new PureUnits();
        const environments = found(units);
        const unanswered = new UnansweredInput();
        for (const step of steps) {
          if (step.kind === "time") units.clock.advanceSeconds(secondsOf(step));
          const call = callOf(step, units, environments);
          if (call === undefined) continue;
          const before = snapshot(units);
          const accepted = units.commit([call])[0]?.refused === undefined;
          const after = snapshot(units);
          const problems = RULES.map(({ name, check }) => [name, check(before, after)]);
          problems.push(["12 unanswered input", unanswered.observe(call, accepted, before, after)]);
          expect(problems.filter(([, problem]) => problem !== undefined)).toEqual([]);
          if (!accepted) expect(after).toEqual(before);
        }
      }),
      { numRuns: 250 },
    );
  }, 120_000);

  it("get the same answers and leave the same records whether their calls share commits or not", () => {
    const batch = fc.tuple(fc.nat({ max: 5 }), fc.array(modelCall, { minLength: 1, maxLength: 12, size: "max" }));
    fc.assert(
      fc.property(fc.array(batch, { minLength: 10, maxLength: 20, size: "max" }), (batches) => {
        const shared = new PureUnits();
        const single = new PureUnits();
        const environments = found(shared);
        found(single);
        for (const [how, steps] of batches) {
          const seconds = Math.max(1, secondsOf({ kind: "time", who: 0, which: 0, how }));
          for (const units of [shared, single]) units.clock.advanceSeconds(seconds);
          const calls = steps.map((step) => callOf(step, shared, environments)).filter((call) => call !== undefined);
          const together = shared.commit(calls);
          const oneByOne = calls.flatMap((call: PureCall) => single.commit([call]));
          expect(together).toEqual(oneByOne);
        }
        expect(stored(shared)).toEqual(stored(single));
      }),
      { numRuns: 150 },
    );
  }, 120_000);
});
