/** The published table of states and calls, written out here a second time so that a change of the code's own shows. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Work } from "../../src/contract/shapes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, ok, refused } from "./support/api.ts";

type State = Work["state"];
/** A state: 200 and the item is in it. `same`: 200 and not one field has changed. 409: refused, and nothing has changed. */
type Cell = State | "same" | 409;
const VERBS = ["ack", "heartbeat", "stop", "stop force", "release"] as const;

const TABLE: Readonly<Record<State, Readonly<Record<(typeof VERBS)[number], Cell>>>> = {
  queued: { ack: "starting", heartbeat: 409, stop: "stopped", "stop force": "stopped", release: 409 },
  starting: { ack: "same", heartbeat: "active", stop: "stopping", "stop force": "stopped", release: "queued" },
  active: { ack: "same", heartbeat: "active", stop: "stopping", "stop force": "stopped", release: "queued" },
  stopping: { ack: 409, heartbeat: "stopping", stop: "stopped", "stop force": "stopped", release: 409 },
  stopped: { ack: 409, heartbeat: 409, stop: "same", "stop force": "same", release: 409 },
};

const STATES = Object.keys(TABLE) as State[];
const CELLS = STATES.flatMap((state) => VERBS.map((verb) => ({ state, verb, cell: TABLE[state][verb] })));

const KEYS = ["id", "type", "environment_id", "data", "state", "created_at", "acknowledged_at", "started_at"].concat([
  "latest_heartbeat_at",
  "stop_requested_at",
  "stopped_at",
  "metadata",
]);
/** The stamps that an item of each state carries; those of a stopped one depend on how far it came. */
const STAMPS: Readonly<Record<State, readonly (keyof Work)[]>> = {
  queued: [],
  starting: ["acknowledged_at"],
  active: ["acknowledged_at", "started_at", "latest_heartbeat_at"],
  stopping: ["acknowledged_at", "started_at", "latest_heartbeat_at", "stop_requested_at"],
  stopped: ["acknowledged_at", "started_at", "latest_heartbeat_at", "stop_requested_at", "stopped_at"],
};

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
});
afterAll(() => server.stop());

function call(item: Work, verb: (typeof VERBS)[number]) {
  if (verb === "stop force") return api.on(item, "stop", { body: { force: true } });
  return api.on(item, verb);
}

test.each(CELLS)("$state × $verb → $cell", async ({ state, verb, cell }) => {
  const item = await api.itemIn(state, (await api.environment()).id);
  const answer = await call(item, verb);
  const after = ok(await api.getWork(item));
  if (cell === 409) {
    refused(answer, 409, "invalid_request_error");
    expect(answer.headers.get("x-should-retry")).toBe("false");
    expect(after).toEqual(item);
    return;
  }
  const value = ok(answer);
  expect(answer.headers.get("x-should-retry")).toBeNull();
  if (verb !== "heartbeat") expect(value).toEqual(after);
  if (cell === "same") expect(after).toEqual(item);
  else expect(after.state).toBe(cell);
});

test.each(CELLS)(
  "$state × $verb a second time is $cell again, or what the table says of the new state",
  async (given) => {
    const { state, verb, cell } = given;
    const item = await api.itemIn(state, (await api.environment()).id);
    await call(item, verb);
    const next = cell === "same" || cell === 409 ? state : cell;
    const expected = TABLE[next][verb];
    const again = await call(item, verb);
    expect(again.status).toBe(expected === 409 ? 409 : 200);
  },
);

test.each(STATES)("a %s item has exactly its twelve keys, and the stamps of its state", async (state) => {
  const item = await api.itemIn(state, (await api.environment()).id);
  expect(Object.keys(item).sort()).toEqual([...KEYS].sort());
  expect(item).toMatchObject({ type: "work", data: { type: "session" }, metadata: {} });
  for (const name of KEYS.filter((key) => key.endsWith("_at") && key !== "created_at") as (keyof Work)[]) {
    const stamp = item[name];
    if (STAMPS[state].includes(name)) expect(stamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    else expect(stamp).toBeNull();
  }
});

test.each(STATES)("a %s item keeps the order of its stamps", async (state) => {
  const item = await api.itemIn(state, (await api.environment()).id);
  const stamps = [item.created_at, item.acknowledged_at, item.started_at, item.latest_heartbeat_at];
  const set = stamps.filter((stamp) => stamp !== null);
  expect(set).toEqual([...set].sort());
  if (item.stopped_at !== null) expect(item.stopped_at >= (item.stop_requested_at ?? "")).toBe(true);
});

test.each(STATES)("a poll delivers a %s item only while it is queued, and leaves it queued", async (state) => {
  const item = await api.itemIn(state, (await api.environment()).id);
  const polled = ok(await api.poll(item.environment_id));
  expect(polled).toEqual(state === "queued" ? item : null);
  expect(ok(await api.getWork(item))).toEqual(item);
});

test.each(STATES)("a %s item takes metadata, and nothing else of it changes", async (state) => {
  const item = await api.itemIn(state, (await api.environment()).id);
  const path = `/environments/${item.environment_id}/work/${item.id}`;
  const set = await server.call<Work>("POST", path, { body: { metadata: { kept: "1", dropped: "2" } } });
  expect(ok(set)).toEqual({ ...item, metadata: { kept: "1", dropped: "2" } });
  const patched = await server.call<Work>("POST", path, { body: { metadata: { dropped: null, added: "3" } } });
  expect(ok(patched)).toEqual({ ...item, metadata: { kept: "1", added: "3" } });
  for (const body of [{}, undefined]) expect(ok(await server.call<Work>("POST", path, { body }))).toEqual(ok(patched));
});

test("metadata has at most sixteen keys, counted after the merge", async () => {
  const item = await api.itemIn("queued", (await api.environment()).id);
  const path = `/environments/${item.environment_id}/work/${item.id}`;
  const keys = (count: number, from = 0) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${from + index}`, "v"]));
  ok(await server.call<Work>("POST", path, { body: { metadata: keys(16) } }));
  const over = await server.call("POST", path, { body: { metadata: keys(1, 16) } });
  expect(refused(over, 400).param).toBe("metadata");
  const swapped = await server.call<Work>("POST", path, { body: { metadata: { k0: null, ...keys(1, 16) } } });
  expect(Object.keys(ok(swapped).metadata)).toHaveLength(16);
  const emoji = { ["😀".repeat(64)]: "😀".repeat(512) };
  const cleared = Object.fromEntries(Object.keys({ ...keys(17) }).map((key) => [key, null]));
  expect(ok(await server.call<Work>("POST", path, { body: { metadata: { ...cleared, ...emoji } } })).metadata).toEqual(
    emoji,
  );
});
