import { describe, expect, it } from "vitest";
import { event, Scenario } from "./support/scenario.ts";

/** A session whose item w1 has, after one message. */
function held(scenario: Scenario): { session: string; item: string } {
  const session = scenario.open(event("user.message"));
  return { session, item: scenario.take().id };
}

describe("a message that races with the stop of the item", () => {
  it("queues the next item in the commit of the stop, when it came after the ack and no agent event follows it", () => {
    const scenario = new Scenario();
    const { session, item } = held(scenario);
    scenario.reply(session, "w1");
    scenario.say(session);
    scenario.finish(item);
    const next = scenario.live(session);
    expect(next).toMatchObject({ state: "queued", attempts: 0, handOut: 0 });
    expect(next?.id).not.toBe(item);
    expect(scenario.session(session).status).toBe("running");
    expect(scenario.story(session).filter((type) => type.startsWith("session."))).toEqual(["session.status_running"]);
    scenario.finish(scenario.take("w2").id, "w2");
    expect(scenario.live(session)).toBeUndefined();
  });

  it("is not forgotten when it comes between the request to stop and the end", () => {
    for (const end of ["worker", "force", "lapse"] as const) {
      const scenario = new Scenario();
      const { session, item } = held(scenario);
      scenario.stop(item, "w1");
      scenario.say(session);
      if (end === "lapse") scenario.lapse();
      else scenario.stop(item, "w1", undefined, end === "force");
      expect(scenario.work(item).state).toBe("stopped");
      expect(scenario.live(session)?.state, end).toBe("queued");
    }
  });

  it("counts as answered when an agent event follows it", () => {
    const scenario = new Scenario();
    const { session, item } = held(scenario);
    scenario.say(session);
    scenario.reply(session, "w1");
    scenario.finish(item);
    expect(scenario.live(session)).toBeUndefined();
  });

  it("counts as answered when it came before the ack", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const item = scenario.poll()?.id as string;
    scenario.say(session);
    scenario.do("ack", { ...scenario.target(item), workerId: "w1" });
    scenario.finish(item);
    expect(scenario.live(session)).toBeUndefined();
  });

  it("counts as unanswered after events that are none of the agent's", () => {
    const scenario = new Scenario();
    const { session, item } = held(scenario);
    scenario.say(session);
    scenario.reply(session, "w1", "span.model_request", "session.error");
    scenario.finish(item);
    expect(scenario.live(session)).toBeDefined();
  });

  it("was seen by the next owner when the first lost the item: its ack counts, not that of the first", () => {
    const scenario = new Scenario();
    const { session, item } = held(scenario);
    scenario.say(session);
    scenario.lapse();
    scenario.take("w2");
    scenario.finish(item, "w2");
    expect(scenario.live(session)).toBeUndefined();
  });
});

describe("processed_through", () => {
  it("keeps the session going for input after it, even when an agent event follows that input", () => {
    const scenario = new Scenario();
    const { session, item } = held(scenario);
    const first = scenario.say(session);
    scenario.say(session);
    scenario.reply(session, "w1");
    scenario.finish(item, "w1", first.id);
    expect(scenario.live(session)?.state).toBe("queued");
    expect(scenario.session(session).processedThrough).toBe(first.id);
  });

  it("ends the turn when no input follows it, although no agent event does", () => {
    const scenario = new Scenario();
    const { session, item } = held(scenario);
    scenario.finish(item, "w1", scenario.say(session).id);
    expect(scenario.live(session)).toBeUndefined();
  });

  it("is kept from the request to stop until the end", () => {
    const scenario = new Scenario();
    const { session, item } = held(scenario);
    const seen = scenario.say(session);
    scenario.stop(item, "w1", seen.id);
    scenario.say(session);
    scenario.stop(item, "w1");
    expect(scenario.live(session)).toBeDefined();
  });

  it("beyond the newest event means that event: input that comes later is not answered by it", () => {
    const scenario = new Scenario();
    const { session, item } = held(scenario);
    scenario.stop(item, "w1", `evt_${"f".repeat(32)}`);
    scenario.say(session);
    scenario.stop(item, "w1");
    const next = scenario.take("w2");
    scenario.say(session);
    scenario.finish(next.id, "w2");
    expect(scenario.live(session)).toBeDefined();
  });

  it("never takes back what was dealt with already", () => {
    const scenario = new Scenario();
    const { session, item } = held(scenario);
    const old = scenario.units.eventsOf(session)[0]?.id;
    scenario.finish(item);
    const through = scenario.session(session).processedThrough;
    scenario.say(session);
    scenario.finish(scenario.take().id, "w1", old);
    expect(scenario.session(session).processedThrough).toBe(through);
    expect(scenario.live(session)?.state).toBe("queued");
  });
});

describe("a stop of an item that is still queued", () => {
  it("cancels all input that waits for it: nothing is queued again", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    scenario.say(session);
    scenario.stop(scenario.live(session)?.id as string);
    expect(scenario.live(session)).toBeUndefined();
    expect(scenario.ending(session, 1)).toEqual(["session.status_idle cancelled"]);
    expect(scenario.session(session)).toMatchObject({ status: "idle", activeSince: null });
  });

  it("does so for an item that a worker lost, and for one that was delivered", () => {
    const scenario = new Scenario();
    const { session, item } = held(scenario);
    scenario.lapse();
    scenario.poll("w2");
    scenario.say(session);
    scenario.stop(item);
    expect(scenario.live(session)).toBeUndefined();
  });

  it("leaves the session open to the next message", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    scenario.stop(scenario.live(session)?.id as string);
    scenario.say(session);
    expect(scenario.live(session)?.state).toBe("queued");
    expect(scenario.session(session).status).toBe("running");
  });
});
