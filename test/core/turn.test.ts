import { describe, expect, it } from "vitest";
import { SECOND } from "./support/items.ts";
import { event, Scenario } from "./support/scenario.ts";

describe("a session's work item", () => {
  it("does not exist before there is something to do", () => {
    const scenario = new Scenario();
    const session = scenario.open();
    expect(scenario.session(session)).toMatchObject({ status: "idle", liveWorkId: null });
    scenario.send(session, "system.message", "user.interrupt");
    expect(scenario.live(session)).toBeUndefined();
    expect(scenario.poll()).toBeUndefined();
  });

  it.each(["user.message", "user.tool_confirmation", "user.custom_tool_result", "user.define_outcome"])(
    "is queued by %s in the same commit, with the session's metadata",
    (type) => {
      const scenario = new Scenario();
      const session = scenario.open();
      scenario.do("updateSession", { sessionId: session, metadata: { team: "blue" } });
      scenario.send(session, type);
      expect(scenario.live(session)).toMatchObject({ state: "queued", metadata: { team: "blue" }, sessionId: session });
      expect(scenario.story(session)).toEqual([type, "session.status_running"]);
    },
  );

  it("is queued by initial events, of whatever kind, when they are marked as something to do", () => {
    const scenario = new Scenario();
    const session = scenario.open({ ...event("system.message"), needsAgent: true });
    expect(scenario.live(session)?.state).toBe("queued");
    expect(scenario.session(session).status).toBe("running");
  });

  it("takes more input while it lives, and is one: in every state", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const first = scenario.live(session)?.id;
    scenario.say(session);
    const item = scenario.poll();
    scenario.say(session);
    scenario.do("ack", { ...scenario.target(item?.id as string), workerId: "w1" });
    scenario.say(session);
    scenario.beat(item?.id as string);
    scenario.say(session);
    scenario.stop(item?.id as string);
    scenario.say(session);
    expect(scenario.units.worksOf(session).map((work) => work.id)).toEqual([first]);
    expect(scenario.story(session).filter((type) => type === "session.status_running")).toHaveLength(1);
  });

  it("is queued only once by many events of one call", () => {
    const scenario = new Scenario();
    const session = scenario.open();
    scenario.send(session, "user.message", "system.message", "user.message");
    expect(scenario.units.worksOf(session)).toHaveLength(1);
  });
});

describe("a turn", () => {
  it("goes from running to idle with end_turn", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const item = scenario.take();
    scenario.reply(session, "w1");
    scenario.finish(item.id);
    expect(scenario.session(session)).toMatchObject({ status: "idle", liveWorkId: null });
    expect(scenario.story(session)).toEqual([
      "user.message",
      "session.status_running",
      "agent.message",
      "session.status_idle end_turn",
    ]);
  });

  it("ends with a stop also when the worker never sent an event", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    scenario.finish(scenario.take().id);
    expect(scenario.live(session)).toBeUndefined();
    expect(scenario.ending(session, 1)).toEqual(["session.status_idle end_turn"]);
  });

  it("that loses its worker is rescheduled until the next owner's first heartbeat", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const item = scenario.take("w1");
    scenario.lapse();
    expect(scenario.session(session).status).toBe("rescheduling");
    expect(scenario.poll("w2")?.id).toBe(item.id);
    scenario.do("ack", { ...scenario.target(item.id), workerId: "w2" });
    expect(scenario.session(session).status).toBe("rescheduling");
    scenario.beat(item.id, "w2");
    expect(scenario.session(session).status).toBe("running");
    expect(scenario.ending(session, 2)).toEqual(["session.status_rescheduled", "session.status_running"]);
  });

  it("whose next owner is asked to stop before its first heartbeat runs from that heartbeat on all the same", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const item = scenario.take("w1");
    scenario.lapse();
    scenario.poll("w2");
    scenario.do("ack", { ...scenario.target(item.id), workerId: "w2" });
    scenario.stop(item.id);
    expect(scenario.session(session).status).toBe("rescheduling");
    scenario.beat(item.id, "w2");
    scenario.beat(item.id, "w2");
    expect(scenario.session(session).status).toBe("running");
    expect(scenario.ending(session, 2)).toEqual(["session.status_rescheduled", "session.status_running"]);
  });

  it("that its worker gives back is rescheduled too, and takes no attempt", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const item = scenario.take();
    scenario.do("release", { ...scenario.target(item.id), workerId: "w1", delayMs: 0 });
    expect(scenario.session(session).status).toBe("rescheduling");
    expect(scenario.work(item.id).attempts).toBe(0);
  });

  it("counts the time in running, and no other", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const item = scenario.take();
    const begun = scenario.session(session).activeSince as number;
    scenario.lapse();
    const lapsed = scenario.session(session);
    expect(lapsed).toMatchObject({ activeSince: null, activeMicros: scenario.units.clock.now() - begun });
    scenario.pass(3_600);
    scenario.take("w2");
    scenario.finish(item.id, "w2");
    expect(scenario.session(session).activeMicros - lapsed.activeMicros).toBe(2 * SECOND);
  });

  it("marks the input that it dealt with, once", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const item = scenario.take();
    const late = scenario.say(session);
    scenario.finish(item.id);
    const ended = scenario.units.clock.now();
    const marked = () => scenario.units.eventsOf(session).map(({ id, processedAt }) => [id === late.id, processedAt]);
    expect(marked().at(0)).toEqual([false, ended]);
    expect(marked().at(2)).toEqual([true, null]);
    scenario.finish(scenario.take().id);
    expect(marked().at(0)).toEqual([false, ended]);
    expect(marked().at(2)).toEqual([true, scenario.units.clock.now()]);
  });

  it("gives the events of a session ascending ids, also when the clock steps back between them", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    for (const seconds of [-3_600, 5, -1, 0]) {
      scenario.pass(seconds);
      scenario.say(session);
    }
    const ids = scenario.units.events.map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].sort());
    expect(scenario.session(session).lastEventId).toBe(ids.at(-1));
  });

  it("gives them ids above those of another server, whose clock is ahead", () => {
    const scenario = new Scenario();
    const session = scenario.open();
    const lastEventId = `evt_ffff${"0".repeat(8)}7${"0".repeat(3)}8${"0".repeat(15)}`;
    scenario.units.sessions.set(session, { ...scenario.session(session), lastEventId });
    expect(scenario.say(session).id > lastEventId).toBe(true);
  });
});
