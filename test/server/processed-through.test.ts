/** What a stop says of the input, and that input which races with it is never left unanswered. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionEvent, Work } from "../../src/contract/shapes.ts";
import { seeded } from "../support/random.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, MESSAGE, ok, REPLY, refused, unknownId } from "./support/api.ts";
import { allEvents } from "./support/conversation.ts";

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
});
afterAll(() => server.stop());

interface Turn {
  readonly item: Work;
  readonly sessionId: string;
  readonly environmentId: string;
  /** The message that began it. */
  readonly first: string;
}

/** A session with one message, whose item a worker holds. */
async function turn(): Promise<Turn> {
  const environment = await api.environment();
  const session = await api.session(environment.id);
  const item = ok(await api.poll(environment.id)) as Work;
  ok(await api.on(item, "ack"));
  const [message] = await api.events(session.id);
  return { item, sessionId: session.id, environmentId: environment.id, first: message?.id ?? "" };
}

const say = async (sessionId: string, event: unknown = MESSAGE) =>
  ok(await api.send(sessionId, [event])).data[0]?.id ?? "";
const stop = (item: Work, processed_through?: string, force = true) =>
  api.on(item, "stop", { body: { force, processed_through } });

/** The status of the session, and how many items wait for it. */
async function outcome({ sessionId, environmentId }: Turn) {
  const { status } = ok(await api.getSession(sessionId));
  return { status, waiting: (await api.stats(environmentId)).depth };
}

const GOES_ON = { status: "running", waiting: 1 };
const AT_REST = { status: "idle", waiting: 0 };

const processed = async (sessionId: string): Promise<string[]> =>
  (await api.events(sessionId)).filter((event) => event.processed_at !== null).map(({ id }) => id);

describe("a worker that says how far it has come", () => {
  test("ends the turn when that is all there is", async () => {
    const held = await turn();
    const second = await say(held.sessionId);
    expect(await processed(held.sessionId)).toEqual([]);
    ok(await stop(held.item, second));
    expect(await outcome(held)).toEqual(AT_REST);
    expect(await processed(held.sessionId)).toEqual([held.first, second]);
  });

  test("gets the session back for what came after it, even when it has replied since", async () => {
    const held = await turn();
    await say(held.sessionId);
    await say(held.sessionId, REPLY);
    ok(await stop(held.item, held.first));
    expect(await outcome(held)).toEqual(GOES_ON);
    expect(await processed(held.sessionId)).toEqual([held.first]);
  });

  test("may name any event as its position: input, its own, or one in between", async () => {
    const held = await turn();
    const reply = await say(held.sessionId, REPLY);
    ok(await stop(held.item, reply));
    expect(await outcome(held)).toEqual(AT_REST);
    const early = await turn();
    ok(await stop(early.item, unknownId("evt_")));
    expect(await outcome(early)).toEqual(GOES_ON);
  });

  test("cannot make the session deaf to what is yet to come", async () => {
    const held = await turn();
    ok(await stop(held.item, `evt_${"f".repeat(32)}`));
    expect(await outcome(held)).toEqual(AT_REST);
    await say(held.sessionId);
    expect(await outcome(held)).toEqual(GOES_ON);
  });

  test("is believed when it asks to stop, and corrected when it confirms", async () => {
    const asked = await turn();
    const later = await say(asked.sessionId);
    expect(ok(await stop(asked.item, asked.first, false)).state).toBe("stopping");
    expect(ok(await stop(asked.item, undefined, false)).state).toBe("stopped");
    expect(await outcome(asked)).toEqual(GOES_ON);
    expect(await processed(asked.sessionId)).not.toContain(later);

    const corrected = await turn();
    const last = await say(corrected.sessionId);
    ok(await stop(corrected.item, corrected.first, false));
    ok(await stop(corrected.item, last, false));
    expect(await outcome(corrected)).toEqual(AT_REST);
  });

  test("is forgotten with its lease: whoever takes the item next speaks for itself", async () => {
    const held = await turn();
    const second = await say(held.sessionId);
    ok(await api.on(held.item, "release"));
    const again = ok(await api.poll(held.environmentId)) as Work;
    ok(await api.on(again, "ack"));
    ok(await stop(again, held.first));
    expect(await outcome(held)).toEqual(GOES_ON);
    const third = ok(await api.poll(held.environmentId)) as Work;
    ok(await api.on(third, "ack"));
    ok(await stop(third, second));
    expect(await outcome(held)).toEqual(AT_REST);
  });

  test.each(["evt_1", "", 1, null, unknownId("work_")])("does not say it with %j", async (position) => {
    const held = await turn();
    const fault = refused(await stop(held.item, position as string), 400, "invalid_request_error");
    expect(fault.param).toBe("processed_through");
    expect(ok(await api.getWork(held.item)).state).toBe("starting");
  });
});

describe("a worker that says nothing of it", () => {
  test("has dealt with what was there when it began", async () => {
    const held = await turn();
    ok(await stop(held.item));
    expect(await outcome(held)).toEqual(AT_REST);
    expect(await processed(held.sessionId)).toEqual([held.first]);
  });

  test("has not dealt with what came later, unless it has replied since", async () => {
    const silent = await turn();
    await say(silent.sessionId);
    ok(await stop(silent.item));
    expect(await outcome(silent)).toEqual(GOES_ON);

    const replied = await turn();
    await say(replied.sessionId);
    await say(replied.sessionId, REPLY);
    ok(await stop(replied.item));
    expect(await outcome(replied)).toEqual(AT_REST);
  });
});

test("a message that races with a stop is never left unanswered, whichever of the two comes first", async () => {
  const outcomes = new Set<string>();
  for (let round = 0; round < 40; round++) {
    const held = await turn();
    await say(held.sessionId, REPLY);
    const sending = () => say(held.sessionId);
    const stopping = () => stop(held.item, held.first);
    const [message, stopped] =
      round % 2 === 0
        ? await Promise.all([sending(), stopping()])
        : ((await Promise.all([stopping(), sending()])).toReversed() as [string, Awaited<ReturnType<typeof stop>>]);
    const { stopped_at: stoppedAt } = ok(stopped);
    const [sent] = (await api.events(held.sessionId)).filter(({ id }) => id === message);
    outcomes.add((sent as SessionEvent).created_at < (stoppedAt ?? "") ? "message first" : "stop first or together");
    expect(await outcome(held)).toEqual(GOES_ON);
    expect(await processed(held.sessionId)).toEqual([held.first]);
  }
  // Both orders have been seen, or the test has shown nothing.
  expect(outcomes.size).toBe(2);
});

test("in a long conversation every message is answered once, however its parts fall between the turns", async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = seeded(seed);
  const environment = await api.environment();
  const { id: sessionId } = await api.session(environment.id, { initial_events: [] });
  const messages = 120;
  let talking = true;
  const talk = async () => {
    for (let count = 0; count < messages; count++) {
      await say(sessionId);
      if (random() < 0.5) await new Promise((resolve) => setTimeout(resolve, random() * 4));
    }
    talking = false;
  };
  const answered: string[] = [];
  const work = async () => {
    for (;;) {
      const over = !talking;
      const item = ok(await api.poll(environment.id, { query: { block_ms: 20 } }));
      if (item === null && over) return;
      if (item === null) continue;
      ok(await api.on(item, "ack"));
      const input = (await allEvents(api, sessionId)).filter(
        ({ type, processed_at: at }) => type === "user.message" && at === null,
      );
      for (const { id } of input) {
        answered.push(id);
        await say(sessionId, { ...REPLY, in_reply_to: id });
      }
      ok(await stop(item, input.at(-1)?.id, random() < 0.5));
      if (ok(await api.getWork(item)).state === "stopping") ok(await stop(item, undefined, false));
    }
  };
  await Promise.all([talk(), work()]);
  const all = await allEvents(api, sessionId);
  const sent = all.filter(({ type }) => type === "user.message");
  expect(answered, `seed ${seed}`).toEqual(sent.map(({ id }) => id));
  expect(sent.filter((event) => event.processed_at === null)).toEqual([]);
  expect(ok(await api.getSession(sessionId)).status).toBe("idle");
});
