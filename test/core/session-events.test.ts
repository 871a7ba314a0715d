import { beforeEach, describe, expect, it } from "vitest";
import type { EventSender } from "../../src/core/commands/sessions.ts";
import { fault, value } from "./support/items.ts";
import { event, Scenario } from "./support/scenario.ts";

let scenario: Scenario;
let sessionId: string;
beforeEach(() => {
  scenario = new Scenario();
  sessionId = scenario.open(event("user.message"));
});

const worker = (workerId: string | null): EventSender => ({ role: "worker", workerId });
const send = (sender: EventSender, ...events: ReturnType<typeof event>[]) =>
  scenario.try("sendEvents", { sessionId, events, sender });
const mayWrite = (workerId: string | null): boolean =>
  send(worker(workerId), event("agent.message")).refused === undefined;

describe("the worker that may write to a session", () => {
  it("is the holder of its live item", () => {
    scenario.take("w1");
    expect([mayWrite("w1"), mayWrite("w2"), mayWrite(null)]).toEqual([true, false, true]);
  });

  it("is none under a name before the ack, delivered or not", () => {
    expect([mayWrite("w1"), mayWrite(null)]).toEqual([false, true]);
    scenario.poll("w1");
    expect([mayWrite("w1"), mayWrite(null)]).toEqual([false, true]);
  });

  it("is any under a name while the holder named none", () => {
    const id = scenario.poll(null)?.id as string;
    scenario.do("ack", { ...scenario.target(id), workerId: null });
    expect([mayWrite("w1"), mayWrite("w2"), mayWrite(null)]).toEqual([true, true, true]);
  });

  it("goes on to be so while the item is stopping, and not after", () => {
    const { id } = scenario.take("w1");
    scenario.stop(id);
    expect(mayWrite("w1")).toBe(true);
    scenario.stop(id, "w1");
    expect([mayWrite("w1"), mayWrite(null)]).toEqual([false, false]);
  });

  it("is not the one that lost the item, neither before nor after the next took it", () => {
    scenario.take("w1");
    scenario.lapse();
    expect(mayWrite("w1")).toBe(false);
    scenario.take("w2");
    expect([mayWrite("w1"), mayWrite("w2")]).toEqual([false, true]);
  });

  it("is not the holder of the item before, once a message has queued the next one", () => {
    const { id } = scenario.take("w1");
    scenario.say(sessionId);
    scenario.finish(id, "w1");
    expect(mayWrite("w1")).toBe(false);
    scenario.take("w2");
    expect(mayWrite("w1")).toBe(false);
  });

  it("is the one that proves the hand-out, for as long as that goes on", () => {
    const { id, handOut } = scenario.take("w1");
    const proven = (number: number): EventSender => ({
      role: "worker",
      workerId: null,
      handOut: { workId: id, number },
    });
    expect(send(proven(handOut), event("agent.message")).refused).toBeUndefined();
    scenario.lapse();
    scenario.take("w2");
    expect(fault(send(proven(handOut), event("agent.message"))).kind).toBe("unauthenticated");
    expect(send(proven(handOut + 1), event("agent.message")).refused).toBeUndefined();
  });

  it("does not write to another session with the hand-out of its own", () => {
    const { id, handOut } = scenario.take("w1");
    sessionId = scenario.open(event("user.message"));
    const sender: EventSender = { role: "worker", workerId: null, handOut: { workId: id, number: handOut } };
    expect(fault(send(sender, event("agent.message"))).kind).toBe("unauthenticated");
  });
});

describe("a refused call", () => {
  it("of a late holder writes nothing", () => {
    scenario.take("w1");
    scenario.lapse();
    const story = scenario.story(sessionId);
    const before = scenario.session(sessionId);
    expect(fault(send(worker("w1"), event("agent.message"), event("user.tool_result"))).kind).toBe("forbidden");
    expect(scenario.story(sessionId)).toEqual(story);
    expect(scenario.session(sessionId)).toBe(before);
  });

  it("takes all of its events with it", () => {
    scenario.take("w1");
    const story = scenario.story(sessionId);
    const answer = event("user.tool_result", { tool_use_id: "evt_1" });
    const twice = send(worker("w1"), event("agent.message"), answer, answer);
    expect(fault(twice)).toMatchObject({ kind: "invalid_request", param: "events[2].tool_use_id" });
    expect(scenario.story(sessionId)).toEqual(story);
  });
});

describe("a tool result", () => {
  const result = (toolUseId: string) => event("user.tool_result", { tool_use_id: toolUseId });

  it("is taken once per tool use: the first answer wins", () => {
    scenario.take("w1");
    expect(value(send(worker("w1"), result("evt_1"), result("evt_2")))).toHaveLength(2);
    for (const id of ["evt_1", "evt_2"]) {
      expect(fault(send(worker("w1"), result(id)))).toMatchObject({ kind: "invalid_request" });
    }
    expect(send(worker("w1"), result("evt_3")).refused).toBeUndefined();
  });

  it("is taken once by calls that share a commit", () => {
    scenario.take("w1");
    const call = { name: "sendEvents" as const, input: { sessionId, events: [result("evt_1")], sender: worker("w1") } };
    const outcomes = scenario.units.commit([call, call]);
    expect(outcomes.map((outcome) => outcome.refused?.kind)).toEqual([undefined, "invalid_request"]);
  });

  it("of one session is no answer in another", () => {
    scenario.take("w1");
    send(worker("w1"), result("evt_1"));
    sessionId = scenario.open(event("user.message"));
    scenario.take("w1");
    expect(send(worker("w1"), result("evt_1")).refused).toBeUndefined();
  });
});
