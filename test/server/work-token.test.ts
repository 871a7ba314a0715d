import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { List, Session, SessionEvent, Work } from "../../src/contract/shapes.ts";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { type Answer, type CallOptions, startTestServer, type TestServer } from "../support/server.ts";
import { Api, itemPath, MESSAGE, ok, REPLY, refused } from "./support/api.ts";

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
});
afterAll(() => server.stop());

interface HandOut {
  readonly item: Work;
  readonly token: string;
}

/** Polls and gives what was delivered, with its token. */
async function delivered(environmentId: string, of = api, query: Record<string, number> = {}): Promise<HandOut> {
  const answer = await of.poll(environmentId, { query });
  const item = ok(answer);
  if (item === null) throw new Error("Nothing was delivered.");
  return { item, token: answer.headers.get("work-token") ?? "" };
}

async function handOut(of = api): Promise<HandOut> {
  const environment = await of.environment();
  await of.session(environment.id);
  return delivered(environment.id, of);
}

async function acknowledged(of = api): Promise<HandOut> {
  const made = await handOut(of);
  ok(await of.on(made.item, "ack", { token: made.token }));
  return made;
}

/** Every call that the token is good for; they leave the item in a state in which all of them succeed again. */
function calls({ item, token }: HandOut, of = api): Record<string, () => Promise<Answer<unknown>>> {
  const session = `/sessions/${item.data.id}`;
  const options: CallOptions = { token };
  return {
    ack: () => of.on(item, "ack", options),
    heartbeat: () => of.beat(item, undefined, options),
    get: () => of.getWork(item, options),
    metadata: () => of.server.call("POST", itemPath(item), { ...options, body: { metadata: { step: "1" } } }),
    session: () => of.getSession(item.data.id, options),
    events: () => of.server.call("GET", `${session}/events`, options),
    send: () => of.send(item.data.id, [REPLY], options),
  };
}

const endings = (token: string): Record<string, (item: Work) => Promise<Answer<unknown>>> => ({
  release: (item) => api.on(item, "release", { token }),
  "release with a delay": (item) => api.on(item, "release", { token, body: { delay_ms: 60_000 } }),
  "forced stop": (item) => api.on(item, "stop", { token, body: { force: true } }),
  "stop by an operator": (item) => api.on(item, "stop", { body: { force: true } }),
  "archived session": (item) => server.call("POST", `/sessions/${item.data.id}/archive`),
  "deleted session": (item) => server.call("DELETE", `/sessions/${item.data.id}`),
});

/** All that the token ever could is a 401, and leaves nothing behind. */
async function expectDead(made: HandOut, of = api): Promise<void> {
  const before = [await of.getWork(made.item), await of.getSession(made.item.data.id)].map(({ body }) => steady(body));
  const more = {
    ...calls(made, of),
    release: () => of.on(made.item, "release", { token: made.token }),
    stop: () => of.on(made.item, "stop", { token: made.token, body: { force: true } }),
    stream: () => of.server.call("GET", `/sessions/${made.item.data.id}/events/stream`, { token: made.token }),
  };
  for (const [name, call] of Object.entries(more)) {
    const answer = await call();
    expect([name, answer.status]).toEqual([name, 401]);
    refused(answer, 401, "authentication_error");
  }
  const after = [await of.getWork(made.item), await of.getSession(made.item.data.id)].map(({ body }) => steady(body));
  expect(after).toEqual(before);
}

const steady = (body: unknown) => ({ ...(body as object), stats: null, request_id: null });

test("every delivery brings a token of its own, and a poll that brings nothing brings none", async () => {
  const environment = await api.environment();
  const empty = await api.poll(environment.id);
  expect(ok(empty)).toBeNull();
  expect(empty.headers.get("work-token")).toBeNull();
  await api.session(environment.id);
  const first = await delivered(environment.id);
  const second = await delivered(environment.id, api, { reclaim_older_than_ms: 0 });
  expect(second.item.id).toBe(first.item.id);
  expect(first.token).toMatch(/^cwt_\S{60,100}$/);
  expect(second.token).not.toBe(first.token);
});

test("whoever runs the session needs nothing else, from the ack to the stop", async () => {
  const { item, token } = await handOut();
  const options = { token };
  expect(ok(await api.on(item, "ack", options)).state).toBe("starting");
  const beat = ok(await api.beat(item, "NO_HEARTBEAT", options));
  expect(ok(await api.beat(item, beat.last_heartbeat, options)).state).toBe("active");
  expect(ok(await api.getWork(item, options)).state).toBe("active");
  const metadata = { body: { metadata: { step: "2" } }, token };
  expect(ok(await server.call<Work>("POST", itemPath(item), metadata)).metadata).toEqual({ step: "2" });
  expect(ok(await api.getSession(item.data.id, options)).id).toBe(item.data.id);
  const [use] = ok(await api.send(item.data.id, [{ type: "agent.tool_use", name: "sh" }], options)).data;
  const answers = [
    { type: "user.tool_result", tool_use_id: use?.id },
    { type: "span.model_request", ms: 3 },
    { type: "session.error", error: { message: "a little one" } },
  ];
  ok(await api.send(item.data.id, answers, options));
  const path = `/sessions/${item.data.id}/events`;
  const events = ok(await server.call<List<SessionEvent>>("GET", path, { ...options, query: { limit: 100 } })).data;
  expect(events.map(({ type }) => type)).toEqual([
    ...["user.message", "session.status_running", "agent.tool_use"],
    ...["user.tool_result", "span.model_request", "session.error"],
  ]);
  const input = events[0]?.id;
  expect(ok(await api.on(item, "stop", { token, body: { processed_through: input } })).state).toBe("stopping");
  expect(ok(await api.on(item, "stop", options)).state).toBe("stopped");
  expect(ok(await api.getSession(item.data.id)).status).toBe("idle");
});

describe("a token is good for its own item and the session of that,", () => {
  test("not for another item or session, of its environment or any other", async () => {
    const { item, token } = await acknowledged();
    const elsewhere = await acknowledged();
    const { id: neighbour } = await api.session(item.environment_id);
    const beside = await api.newestWork(item.environment_id);
    const foreign: [string, string, unknown?][] = [];
    for (const other of [beside, elsewhere.item, { ...item, environment_id: elsewhere.item.environment_id }]) {
      for (const verb of ["ack", "heartbeat", "stop", "release"]) foreign.push(["POST", `${itemPath(other)}/${verb}`]);
      foreign.push(["GET", itemPath(other)], ["POST", itemPath(other), { metadata: {} }]);
    }
    for (const id of [neighbour, elsewhere.item.data.id]) {
      foreign.push(
        ["GET", `/sessions/${id}`],
        ["GET", `/sessions/${id}/events`],
        ["GET", `/sessions/${id}/events/stream`],
      );
      foreign.push(["POST", `/sessions/${id}/events`, { events: [REPLY] }]);
    }
    for (const [method, path, body] of foreign) {
      const answer = await server.call(method, path, { token, ...(body === undefined ? {} : { body }) });
      expect([method, path, answer.status]).toEqual([method, path, 403]);
    }
  });

  test("and there not for what is the client's or the operator's", async () => {
    const { item, token } = await acknowledged();
    const session = `/sessions/${item.data.id}`;
    const own = `/environments/${item.environment_id}`;
    const others: [string, string, unknown?][] = [
      ["POST", session, { title: "mine" }],
      ["DELETE", session],
      ["POST", `${session}/archive`],
      ["POST", `${session}/cancel`],
      ["GET", "/sessions"],
      ["GET", own],
      ["GET", `${own}/work`],
      ["GET", `${own}/work/poll`],
      ["GET", `${own}/work/stats`],
      ["GET", "/agents"],
      ["GET", "/tokens"],
    ];
    for (const [method, path, body] of others) {
      const answer = await server.call(method, path, { token, ...(body === undefined ? {} : { body }) });
      expect([method, path, answer.status]).toEqual([method, path, 403]);
    }
    refused(await api.send(item.data.id, [MESSAGE], { token }), 403, "permission_error");
    refused(await api.send(item.data.id, [REPLY, MESSAGE], { token }), 403, "permission_error");
    expect((await api.events(item.data.id)).map(({ type }) => type)).toEqual([
      "user.message",
      "session.status_running",
    ]);
  });

  test("and no name that comes along changes whose events they are, though the item is its holder's", async () => {
    const { item, token } = await handOut();
    ok(await api.send(item.data.id, [REPLY], { token, worker: "w1" }));
    ok(await api.on(item, "ack", { token, worker: "w1" }));
    refused(await api.beat(item, undefined, { token, worker: "w2" }), 409);
    for (const worker of ["w1", "w2"]) ok(await api.send(item.data.id, [REPLY], { token, worker }));
  });
});

describe("a token dies with its hand-out:", () => {
  test.each(Object.keys(endings("")))("by a %s", async (name) => {
    const made = await acknowledged();
    for (const call of Object.values(calls(made))) ok(await call());
    ok((await endings(made.token)[name]?.(made.item)) as Answer<unknown>);
    await expectDead(made);
  });

  test("by the next delivery, before anybody has acknowledged", async () => {
    const first = await handOut();
    const second = await delivered(first.item.environment_id, api, { reclaim_older_than_ms: 0 });
    await expectDead(first);
    ok(await api.on(second.item, "ack", { token: second.token }));
    await expectDead(first);
    for (const call of Object.values(calls(second))) ok(await call());
  });

  test("by a lapse, and it stays dead when the item is taken anew", async () => {
    const clock = new FakeClock();
    const own = await startTestServer({ clock, sweepMs: 10 });
    onTestFinished(() => own.stop());
    const of = new Api(own);
    const made = await acknowledged(of);
    ok(await of.beat(made.item, "NO_HEARTBEAT", { token: made.token, query: { desired_ttl_seconds: 10 } }));
    clock.advanceSeconds(11);
    await eventually(async () => expect(ok(await of.getWork(made.item)).state).toBe("queued"));
    await expectDead(made, of);
    const next = await delivered(made.item.environment_id, of);
    expect(next.item.id).toBe(made.item.id);
    ok(await of.on(next.item, "ack", { token: next.token }));
    await expectDead(made, of);
    for (const call of Object.values(calls(next, of))) ok(await call());
  });

  test("and not sooner: while it is asked to stop, it can still say what it has to", async () => {
    const made = await acknowledged();
    ok(await server.call("POST", `/sessions/${made.item.data.id}/cancel`));
    expect(ok(await api.beat(made.item, undefined, { token: made.token })).state).toBe("stopping");
    const { ack: _, ...others } = calls(made);
    for (const call of Object.values(others)) ok(await call());
    refused(await api.on(made.item, "ack", { token: made.token }), 409);
    expect(ok(await api.on(made.item, "stop", { token: made.token })).state).toBe("stopped");
    await expectDead(made);
  });
});

test("a forged token is no token: changed in any character, cut at any length, with another number or more behind it", async () => {
  const { item, token } = await acknowledged();
  const forged = new Set<string>();
  for (let at = 4; at < token.length; at++) {
    const other = token[at] === "0" ? "1" : "0";
    forged.add(token.slice(0, at) + other + token.slice(at + 1));
    forged.add(token.slice(0, at));
  }
  // The last character of a signature holds two bits that mean nothing.
  for (const last of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    forged.add(token.slice(0, -1) + last);
  const [, hex = "", number = "", signature = ""] = /^cwt_([^_]+)_(\d+)_(.+)$/.exec(token) ?? [];
  for (const wrong of ["0", "00", `0${number}`, `${number}0`, `+${number}`, "-1", "1e0", "9".repeat(20)]) {
    forged.add(`cwt_${hex}_${wrong}_${signature}`);
  }
  for (const more of ["=", "A", "_", "."]) forged.add(token + more);
  forged.add(`cwt_${hex.toUpperCase()}_${number}_${signature}`);
  forged.add(`cwt_${hex}_${number}_`);
  forged.add("cwt_");
  forged.delete(token);
  for (const secret of forged)
    expect([secret, (await api.getWork(item, { token: secret })).status]).toEqual([secret, 401]);
  ok(await api.getWork(item, { token }));
});

test("a token of another installation is no token", async () => {
  const own = await startTestServer();
  onTestFinished(() => own.stop());
  const { token } = await acknowledged(new Api(own));
  const { item } = await acknowledged();
  refused(await api.getWork(item, { token }), 401, "authentication_error");
});

describe("a holder that is late", () => {
  const writes = [REPLY, { type: "session.error", error: { message: "m" } }, { type: "span.x" }].concat([
    { type: "user.tool_result", tool_use_id: `evt_${"0".repeat(32)}` } as never,
  ]);

  test.each(["released", "taken by another", "stopped", "stopped, with a new item queued"])(
    "writes nothing when its item is %s",
    async (fate) => {
      const environment = await api.environment();
      const worker = (await api.token("worker", environment.id)).token;
      await api.session(environment.id);
      const item = ok(await api.poll(environment.id, { worker: "w1", token: worker })) as Work;
      ok(await api.on(item, "ack", { worker: "w1", token: worker }));
      ok(await api.send(item.data.id, [REPLY], { worker: "w1", token: worker }));
      if (fate.startsWith("stopped")) {
        ok(await api.on(item, "stop", { worker: "w1", body: { force: true } }));
        if (fate.includes("new")) ok(await api.send(item.data.id, [MESSAGE]));
      } else ok(await api.on(item, "release", { worker: "w1" }));
      if (fate === "taken by another") {
        ok(await api.poll(environment.id, { worker: "w2", token: worker }));
        ok(await api.on(item, "ack", { worker: "w2", token: worker }));
      }
      const before = await api.events(item.data.id);
      for (const event of writes) {
        refused(await api.send(item.data.id, [event], { worker: "w1", token: worker }), 403, "permission_error");
      }
      refused(await api.send(item.data.id, writes, { worker: "w1", token: worker }), 403, "permission_error");
      expect(await api.events(item.data.id)).toEqual(before);
      expect(ok(await api.getSession(item.data.id)) satisfies Session).toMatchObject({ id: item.data.id });
    },
  );
});
