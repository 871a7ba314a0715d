import { describe, expect, it } from "vitest";
import { fault } from "./support/items.ts";
import { event, Scenario } from "./support/scenario.ts";

describe("cancel", () => {
  it("of an idle session does nothing", () => {
    const scenario = new Scenario();
    const session = scenario.open();
    expect(scenario.do("cancelSession", { sessionId: session }).canceling).toBe(false);
    expect(scenario.story(session)).toEqual([]);
  });

  it("of a queued item ends it at once", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const answer = scenario.do("cancelSession", { sessionId: session });
    expect(answer).toMatchObject({ canceling: true, session: { status: "idle", liveWorkId: null } });
    expect(scenario.ending(session, 1)).toEqual(["session.status_idle cancelled"]);
  });

  it("of a held item asks the worker to stop, and the session is cancelled when it has", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const { id } = scenario.take();
    scenario.do("cancelSession", { sessionId: session });
    expect(scenario.work(id).state).toBe("stopping");
    scenario.stop(id, "w1");
    expect(scenario.ending(session, 1)).toEqual(["session.status_idle cancelled"]);
    expect(scenario.live(session)).toBeUndefined();
  });

  it("covers the input before it, also what came after the ack", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const { id } = scenario.take();
    scenario.say(session);
    scenario.do("cancelSession", { sessionId: session });
    scenario.lapse();
    expect(scenario.work(id).state).toBe("stopped");
    expect(scenario.live(session)).toBeUndefined();
  });

  it("does not cover the input after it, which begins a turn of its own", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const { id } = scenario.take();
    scenario.do("cancelSession", { sessionId: session });
    scenario.say(session);
    scenario.stop(id, "w1");
    expect(scenario.live(session)?.state).toBe("queued");
    expect(scenario.ending(session, 2)).toEqual(["session.status_idle cancelled", "session.status_running"]);
    scenario.finish(scenario.take().id);
    expect(scenario.ending(session, 1)).toEqual(["session.status_idle end_turn"]);
  });

  it("twice covers what came in between, and does not end the item in the worker's place", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const { id } = scenario.take();
    scenario.do("cancelSession", { sessionId: session });
    scenario.say(session);
    expect(scenario.do("cancelSession", { sessionId: session }).canceling).toBe(true);
    expect(scenario.work(id).state).toBe("stopping");
    scenario.stop(id, "w1");
    expect(scenario.live(session)).toBeUndefined();
  });

  it("is stronger than a smaller processed_through", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const { id } = scenario.take();
    const first = scenario.units.eventsOf(session)[0]?.id as string;
    scenario.say(session);
    scenario.do("cancelSession", { sessionId: session });
    scenario.finish(id, "w1", first);
    expect(scenario.live(session)).toBeUndefined();
  });
});

describe("an item whose attempts are used up", () => {
  it("ends with an error and retries_exhausted, and the input is not queued again", () => {
    const scenario = new Scenario({ maxAttempts: 2 });
    const session = scenario.open(event("user.message"));
    const { id } = scenario.take("w1");
    scenario.lapse();
    scenario.take("w2");
    scenario.lapse();
    expect(scenario.work(id)).toMatchObject({ state: "stopped", attempts: 2, stopRequestedAt: null });
    expect(scenario.ending(session, 2)).toEqual(["session.error", "session.status_idle retries_exhausted"]);
    expect(scenario.live(session)).toBeUndefined();
  });

  it("leaves input after the last ack to an item of its own", () => {
    const scenario = new Scenario({ maxAttempts: 1 });
    const session = scenario.open(event("user.message"));
    scenario.take("w1");
    scenario.say(session);
    scenario.lapse();
    expect(scenario.ending(session, 3)).toEqual([
      "session.error",
      "session.status_idle retries_exhausted",
      "session.status_running",
    ]);
    expect(scenario.live(session)).toMatchObject({ state: "queued", attempts: 0 });
  });

  it("is not one that the worker gave back, however often", () => {
    const scenario = new Scenario({ maxAttempts: 1 });
    const session = scenario.open(event("user.message"));
    for (let time = 0; time < 5; time += 1) {
      const { id } = scenario.take();
      scenario.do("release", { ...scenario.target(id), workerId: "w1", delayMs: 0 });
    }
    expect(scenario.live(session)?.state).toBe("queued");
  });
});

describe.each(["archiveSession", "deleteSession"] as const)("%s", (command) => {
  it("forces the live item to stop in the same commit, whatever input waits", () => {
    for (const progress of ["queued", "active", "stopping"] as const) {
      const scenario = new Scenario();
      const session = scenario.open(event("user.message"));
      const id = progress === "queued" ? (scenario.live(session)?.id as string) : scenario.take().id;
      if (progress === "stopping") scenario.stop(id);
      scenario.say(session);
      scenario.do(command, { sessionId: session });
      expect(scenario.work(id).state, progress).toBe("stopped");
      expect(scenario.session(session).liveWorkId).toBeNull();
      expect(scenario.units.worksOf(session)).toHaveLength(1);
    }
  });

  it("leaves the late holder nothing to write or to move", () => {
    const scenario = new Scenario();
    const session = scenario.open(event("user.message"));
    const { id } = scenario.take();
    scenario.do(command, { sessionId: session });
    const events = [event("agent.message")];
    const late = scenario.try("sendEvents", { sessionId: session, events, sender: { role: "worker", workerId: "w1" } });
    expect(fault(late).kind).toBe(command === "archiveSession" ? "forbidden" : "not_found");
    expect(fault(scenario.try("release", { ...scenario.target(id), workerId: "w1", delayMs: 0 })).kind).toBe(
      "work_conflict",
    );
    expect(scenario.work(id).state).toBe("stopped");
  });
});

describe("an archived session", () => {
  it("is terminated, takes no input and cannot be changed, but can be deleted", () => {
    const scenario = new Scenario();
    const sessionId = scenario.open(event("user.message"));
    const archived = scenario.do("archiveSession", { sessionId });
    expect(archived).toMatchObject({ status: "terminated", activeSince: null });
    expect(scenario.ending(sessionId, 1)).toEqual(["session.status_terminated"]);
    const events = [event("user.message")];
    expect(fault(scenario.try("sendEvents", { sessionId, events, sender: { role: "user" } })).kind).toBe("conflict");
    expect(fault(scenario.try("updateSession", { sessionId, title: "x" })).kind).toBe("conflict");
    expect(fault(scenario.try("cancelSession", { sessionId })).kind).toBe("conflict");
    expect(fault(scenario.try("archiveSession", { sessionId })).kind).toBe("conflict");
    expect(scenario.do("deleteSession", { sessionId })).toBe(sessionId);
  });
});

describe("a deleted session", () => {
  it("does not exist any more", () => {
    const scenario = new Scenario();
    const sessionId = scenario.open(event("user.message"));
    scenario.do("deleteSession", { sessionId });
    const events = [event("user.message")];
    expect(fault(scenario.try("sendEvents", { sessionId, events, sender: { role: "user" } })).kind).toBe("not_found");
    expect(fault(scenario.try("deleteSession", { sessionId })).kind).toBe("not_found");
    expect(fault(scenario.try("archiveSession", { sessionId })).kind).toBe("not_found");
  });
});
