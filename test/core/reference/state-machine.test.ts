import { describe, expect, test } from "vitest";
import { REASONS } from "../../../src/core/reference/arrows.ts";
import { stateMachineReference } from "../../../src/core/reference/state-machine.ts";
import { TRANSITIONS, WORK_EVENTS, WORK_STATES, type WorkState } from "../../../src/core/transitions.ts";

const page = stateMachineReference();

/** The events on the arrow from one state to another, as the picture shows them. */
const drawn = (from: WorkState, to: string): string[] =>
  new RegExp(`^ {2}${from} --> ${to}: (.*)$`, "m").exec(page)?.[1]?.split(" · ") ?? [];

const NAMES: Readonly<Record<string, string>> = { deliver: "deliver (poll)", forceStop: "stop with force" };
const cells = WORK_STATES.flatMap((state) => WORK_EVENTS.map((event) => [state, event] as const));

describe("the page of the state machine", () => {
  test.each(cells)("draws an arrow for %s and %s exactly when the table leads to a state", (state, event) => {
    const to = TRANSITIONS[state][event];
    const name = NAMES[event] ?? event;
    for (const target of WORK_STATES) expect(drawn(state, target).includes(name)).toBe(target === to);
  });

  test("draws that a lapse can use up the attempts", () => {
    expect(drawn("active", "stopped")).toContain("lapse (attempts used up)");
    expect(drawn("stopping", "stopped")).not.toContain("lapse (attempts used up)");
  });

  test.each(cells)("has a reason for %s and %s exactly when it can occur", (state, event) => {
    expect(REASONS[state][event] !== undefined).toBe(TRANSITIONS[state][event] !== "never");
  });
});
