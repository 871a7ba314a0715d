import { callsIn, take } from "./calls.ts";
import type { Invariant } from "./invariants.ts";
import { futureOf } from "./same-future.ts";
import { BEGINNING, type Step, type System, type World } from "./world.ts";

export interface Violation {
  readonly invariant: string;
  readonly problem: string;
  /** The shortest history that leads to it. */
  readonly history: readonly string[];
}

export interface Exploration {
  readonly states: number;
  readonly steps: number;
  /** Length of the longest of the shortest histories: with no state left to expand, every length was covered. */
  readonly depth: number;
  readonly exhausted: boolean;
  readonly violation: Violation | undefined;
}

interface Node {
  readonly world: World;
  readonly from: Node | undefined;
  readonly name: string;
}

/**
 * Every order of up to `maxDepth` steps, breadth first. Two histories that end in states which differ only by when they
 * happened have the same future, so each such state is expanded once.
 *
 * @param skipped called with every state that is not expanded, and the one that stands for it
 */
export function explore(
  system: System,
  invariants: readonly Invariant[],
  maxDepth: number,
  skipped?: (world: World, known: World) => void,
): Exploration {
  const seen = new Map([[futureOf(BEGINNING), BEGINNING]]);
  let level: Node[] = [{ world: BEGINNING, from: undefined, name: "" }];
  let steps = 0;
  let depth = 0;
  for (; depth < maxDepth && level.length > 0; depth += 1) {
    const next: Node[] = [];
    for (const node of level) {
      for (const call of callsIn(node.world, system)) {
        steps += 1;
        const step = take(node.world, call, system);
        const reached: Node = { world: step.after, from: node, name: nameOf(step) };
        const violation = firstViolation(step, invariants, reached);
        if (violation !== undefined) return { states: seen.size, steps, depth, exhausted: false, violation };
        const key = futureOf(step.after);
        const known = seen.get(key);
        if (known !== undefined) {
          skipped?.(step.after, known);
          continue;
        }
        seen.set(key, step.after);
        next.push(reached);
      }
    }
    level = next;
  }
  return { states: seen.size, steps, depth, exhausted: level.length === 0, violation: undefined };
}

function firstViolation(step: Step, invariants: readonly Invariant[], node: Node): Violation | undefined {
  for (const { name, check } of invariants) {
    const problem = check(step);
    if (problem !== undefined) return { invariant: name, problem, history: historyOf(node) };
  }
  return undefined;
}

function historyOf(node: Node): string[] {
  const names: string[] = [];
  for (let at: Node | undefined = node; at?.from !== undefined; at = at.from) names.unshift(at.name);
  return names;
}

const nameOf = ({ call, outcome }: Step): string =>
  `${call.type}${call.by === null ? "" : ` by ${call.by}`}${outcome.refused ? ` (${outcome.refused.kind})` : ""}`;
