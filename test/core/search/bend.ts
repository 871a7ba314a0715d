import type { Decision, WorkCommand } from "../../../src/core/decide.ts";
import { done, type Outcome } from "../../../src/core/faults.ts";
import type { WorkRecord } from "../../../src/core/records.ts";
import type { Micros } from "../../../src/core/time.ts";
import { CAPSTAN, type System } from "./world.ts";

export interface PlantedBug {
  /** The invariant whose checker has to find it, by its number. */
  readonly breaks: number;
  readonly bug: string;
  /** What the checker says of it, so that it is known to be found for what it is. */
  readonly symptom: string;
  readonly system: System;
}

type Rule = System["decide"];

export const planted = (breaks: number, bug: string, symptom: string, system: Partial<System>): PlantedBug => ({
  breaks,
  bug,
  symptom,
  system: { ...CAPSTAN, ...system },
});

export const changed = (item: WorkRecord): Outcome<Decision> => done({ item, changed: true });

/** Bends what goes in: another item or another command is judged in place of the real one. */
export const judging = (
  bend: (item: WorkRecord, command: WorkCommand) => [WorkRecord, WorkCommand],
): Partial<System> => ({
  decide: (item, command, now, policy) => {
    const outcome = CAPSTAN.decide(...bend(item, command), now, policy);
    return outcome.refused || outcome.value.changed ? outcome : done({ item, changed: false });
  },
});

/** Bends what comes out of accepted commands. */
export function leaving(
  bend: (after: WorkRecord, before: WorkRecord, command: WorkCommand, now: Micros) => WorkRecord,
): Partial<System> {
  const rule: Rule = (item, command, now, policy) => {
    const outcome = CAPSTAN.decide(item, command, now, policy);
    return outcome.refused ? outcome : changed(bend(outcome.value.item, item, command, now));
  };
  return { decide: rule };
}
