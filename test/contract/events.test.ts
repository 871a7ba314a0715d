import { describe, expect, it } from "vitest";
import { acceptEvent } from "../../src/contract/accept.ts";
import { createSessionBody, sendEventsBody } from "../../src/contract/bodies.ts";
import { eventKind, isAgentEvent, USER_EVENT_TYPES } from "../../src/core/event-types.ts";
import { accepts, HEX, read, refusedIn } from "./support.ts";

const text = [{ type: "text", text: "hi" }];
const send = (...events: unknown[]) => read(sendEventsBody, { events });
const MESSAGE = { type: "user.message", content: text };

/** One good event of each type that has to carry something. */
const GOOD: readonly Record<string, unknown>[] = [
  MESSAGE,
  { type: "system.message", content: text },
  { type: "user.interrupt" },
  { type: "user.tool_confirmation", tool_use_id: `evt_${HEX}`, result: "deny" },
  { type: "user.custom_tool_result", custom_tool_use_id: `evt_${HEX}` },
  { type: "user.define_outcome", description: "done" },
  { type: "user.tool_result", tool_use_id: `evt_${HEX}`, content: text },
  { type: "session.error", error: { message: "broken" } },
  { type: "agent.message", content: [] },
  { type: "agent.tool_use", name: "bash", input: {} },
  { type: "span.model_request_start" },
];

describe("events that are sent", () => {
  it.each(GOOD)("may be of type $type", (event) => {
    expect(send(event).value).toEqual({ events: [event] });
  });

  it("are a non-empty array of at most 1000", () => {
    for (const body of [{}, { events: null }, { events: [] }, { events: {} }, { events: "x" }]) {
      expect(refusedIn(sendEventsBody, body)).toBe("events");
    }
    expect(accepts(sendEventsBody, { events: Array(1_000).fill(MESSAGE) })).toBe(true);
    expect(refusedIn(sendEventsBody, { events: Array(1_001).fill(MESSAGE) })).toBe("events");
  });

  it("are refused by the index of the one that is wrong", () => {
    expect(send(MESSAGE, MESSAGE, { type: "user.message", content: "hi" }).refused).toBe("events.2.content");
    expect(send(MESSAGE, { type: "user.message", content: [...text, { type: "text" }] }).refused).toBe(
      "events.1.content.1.text",
    );
    expect(send(MESSAGE, 5).refused).toBe("events.1");
    expect(send({}).refused).toBe("events.0.type");
  });

  it("carry blocks, not a bare string", () => {
    expect(send({ type: "user.message", content: "hi" })).toMatchObject({
      refused: "events.0.content",
      message: expect.stringContaining('[{"type":"text"'),
    });
    for (const content of [undefined, null, [], {}]) {
      expect(send({ type: "user.message", content }).refused).toBe("events.0.content");
    }
    for (const block of ["hi", null, {}, { type: "" }, { type: 5 }]) {
      expect(send({ type: "user.message", content: [block] }).refused).toMatch(/^events\.0\.content\.0/);
    }
    expect(
      accepts(sendEventsBody, { events: [{ type: "user.message", content: [{ type: "image", source: {} }] }] }),
    ).toBe(true);
  });

  it("carry at most 10,000 blocks, and of many bad ones the first is told alone", () => {
    const [block] = text;
    expect(accepts(sendEventsBody, { events: [{ type: "user.message", content: Array(10_000).fill(block) }] })).toBe(
      true,
    );
    for (const [size, filling] of [
      [10_001, block],
      [1_000_000, 0],
    ] as const) {
      expect(send({ type: "user.message", content: Array(size).fill(filling) })).toEqual({
        refused: "events.0.content",
        message: "may hold at most 10000 blocks",
      });
    }
    const bad = sendEventsBody.safeParse({ events: [{ type: "agent.message", content: Array(10_000).fill(0) }] });
    expect(bad.error?.issues.map(({ path }) => path)).toEqual([["events", 0, "content", 0]]);
  });

  it.each(["agent.fooBar", "agent.tool-use", "agent.1", "span.a.b", `span.${"x".repeat(128)}`])(
    "from the worker may be of type %s, which is its own affair",
    (type) => {
      expect(accepts(sendEventsBody, { events: [{ type }] })).toBe(true);
      expect(eventKind(type)?.sender).toBe("worker");
    },
  );

  it.each([
    "",
    "user",
    "user.unknown",
    "agent.",
    "agent. message",
    "agent..message",
    `span.${"x".repeat(129)}`,
    "agents.message",
    "__proto__",
    "constructor",
    "toString",
  ])("cannot be of type %j, which does not exist", (type) => {
    expect(send({ type, content: text }).refused).toBe("events.0.type");
    expect(eventKind(type)).toBeUndefined();
  });

  it.each(["session.status_idle", "session.status_running", "session.status_rescheduled", "session.status_terminated"])(
    "cannot be of type %s, which only the server writes",
    (type) => {
      expect(send({ type }).refused).toBe("events.0.type");
    },
  );

  it("carry what their type needs", () => {
    expect(send({ type: "user.tool_confirmation", tool_use_id: `evt_${HEX}`, result: "maybe" }).refused).toBe(
      "events.0.result",
    );
    expect(send({ type: "user.tool_confirmation", tool_use_id: "toolu_1", result: "allow" }).refused).toBe(
      "events.0.tool_use_id",
    );
    expect(send({ type: "user.tool_result" }).refused).toBe("events.0.tool_use_id");
    expect(send({ type: "user.custom_tool_result" }).refused).toBe("events.0.custom_tool_use_id");
    expect(send({ type: "user.define_outcome", description: "" }).refused).toBe("events.0.description");
    expect(send({ type: "session.error" }).refused).toBe("events.0.error");
  });

  it("are kept whole, except for what only the server writes", () => {
    const sent = { ...MESSAGE, id: "evt_mine", created_at: "now", processed_at: "now", extra: { deep: [1] } };
    const accepted = acceptEvent((send(sent).value as { events: [{ type: string }] }).events[0]);
    expect(accepted).toEqual({
      type: "user.message",
      payload: { content: text, extra: { deep: [1] } },
      needsAgent: true,
    });
  });

  it("cannot reach the prototype of anything", () => {
    const body = JSON.parse(
      `{"events":[{"type":"agent.x","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}]}`,
    );
    const { events } = read(sendEventsBody, body).value as { events: [{ type: string; polluted?: number }] };
    expect([events[0].polluted, acceptEvent(events[0]).payload.polluted]).toEqual([undefined, undefined]);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe("the kind of an event", () => {
  it("says which input needs the agent", () => {
    const needing = USER_EVENT_TYPES.filter((type) => eventKind(type)?.needsAgent);
    expect(needing).toEqual([
      "user.message",
      "user.tool_confirmation",
      "user.custom_tool_result",
      "user.define_outcome",
    ]);
    for (const type of ["agent.message", "span.step", "session.error", "user.tool_result"]) {
      expect(eventKind(type)).toEqual({ sender: "worker", needsAgent: false });
    }
  });

  it("is the agent's for agent.* alone", () => {
    expect(["agent.message", "agents.message", "span.agent", "user.message"].map(isAgentEvent)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});

describe("a session that is created", () => {
  const create = (body: object) => refusedIn(createSessionBody, { environment_id: `env_${HEX}`, ...body });

  it("names its environment, and may begin with up to 50 events, none included", () => {
    expect([create({}), create({ initial_events: [] }), create({ initial_events: Array(50).fill(MESSAGE) })]).toEqual(
      Array(3).fill(undefined),
    );
    expect(create({ initial_events: Array(51).fill(MESSAGE) })).toBe("initial_events");
    expect(create({ initial_events: [MESSAGE, { type: "user.message", content: "hi" }] })).toBe(
      "initial_events.1.content",
    );
    expect(refusedIn(createSessionBody, {})).toBe("environment_id");
    expect(create({ environment_id: `env_${HEX}\n` })).toBe("environment_id");
  });

  it.each(["resources", "environment_variables", "vault_ids"])("has no %s here, empty ones aside", (name) => {
    for (const value of [undefined, null, [], {}]) expect(create({ [name]: value })).toBeUndefined();
    for (const value of [["x"], { A: "1" }, "x", "", 5, 0, true, false]) expect(create({ [name]: value })).toBe(name);
  });

  it("names its agent by id, or by id and version", () => {
    const agent = `agent_${HEX}`;
    for (const value of [null, agent, { type: "agent", id: agent }, { type: "agent", id: agent, version: 3 }]) {
      expect(create({ agent: value })).toBeUndefined();
    }
    for (const value of ["me", 5, {}, { id: agent }, { type: "agent", id: agent, version: 0 }]) {
      expect(create({ agent: value })).toMatch(/^agent/);
    }
  });
});
