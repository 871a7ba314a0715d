import { afterAll, beforeAll, expect, test } from "vitest";
import type { Work } from "../../src/contract/shapes.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, ok, refused, type WorkCall } from "./support/api.ts";

let server: TestServer;
let api: Api;

beforeAll(async () => {
  server = await startTestServer();
  api = new Api(server);
});
afterAll(() => server.stop());

const starting = async (): Promise<Work> => api.itemIn("starting", (await api.environment()).id, "w1");
const query = (fields: Record<string, string | number>): WorkCall => ({ query: fields });

/** A refused precondition writes nothing and says that repeating is useless. */
async function expectMismatch(item: Work, expected: string, options: WorkCall = {}): Promise<void> {
  const before = ok(await api.getWork(item));
  const answer = await api.beat(item, expected, options);
  refused(answer, 412, "precondition_failed_error");
  expect(answer.headers.get("x-should-retry")).toBe("false");
  expect(ok(await api.getWork(item))).toEqual(before);
}

test("the first heartbeat makes the item active, and is its start", async () => {
  const item = await starting();
  const beat = ok(await api.beat(item, "NO_HEARTBEAT"));
  expect(beat).toEqual({
    type: "work_heartbeat",
    last_heartbeat: beat.last_heartbeat,
    lease_extended: true,
    state: "active",
    ttl_seconds: 60,
  });
  const after = ok(await api.getWork(item));
  expect(after).toMatchObject({
    state: "active",
    started_at: beat.last_heartbeat,
    latest_heartbeat_at: beat.last_heartbeat,
  });
});

test("NO_HEARTBEAT succeeds once", async () => {
  const item = await starting();
  ok(await api.beat(item, "NO_HEARTBEAT"));
  await expectMismatch(item, "NO_HEARTBEAT");
});

test("a time succeeds only as the last heartbeat, to the microsecond", async () => {
  const item = await starting();
  await expectMismatch(item, "2026-07-01T08:16:06.120394Z");
  const first = ok(await api.beat(item, "NO_HEARTBEAT")).last_heartbeat;
  await expectMismatch(
    item,
    first.replace(/\dZ$/, (end) => `${(Number(end[0]) + 1) % 10}Z`),
  );
  await expectMismatch(item, first.replace("Z", "1Z"));
  await expectMismatch(item, `${first.slice(0, -4)}Z`.replace(/0*Z$/, "9Z"));
  const second = ok(await api.beat(item, first)).last_heartbeat;
  await expectMismatch(item, first);
  ok(await api.beat(item, second));
});

test("the same instant in another spelling is the same", async () => {
  const item = await starting();
  const first = ok(await api.beat(item, "NO_HEARTBEAT")).last_heartbeat;
  const second = ok(await api.beat(item, first.replace("Z", "+00:00"))).last_heartbeat;
  const third = ok(await api.beat(item, second.replace("Z", "000z").replace("T", "t"))).last_heartbeat;
  expect(third > second).toBe(true);
});

test("a call without a precondition always extends, and every value is greater than the one before", async () => {
  const item = await starting();
  const seen: string[] = [];
  for (let index = 0; index < 20; index++) seen.push(ok(await api.beat(item)).last_heartbeat);
  expect(new Set(seen).size).toBe(20);
  expect(seen).toEqual([...seen].sort());
});

test.each([
  { wish: 1, seconds: 10 },
  { wish: 10, seconds: 10 },
  { wish: 77, seconds: 77 },
  { wish: 600, seconds: 600 },
  { wish: 601, seconds: 600 },
  { wish: "9".repeat(40), seconds: 600 },
])("a wish for $wish seconds is brought to $seconds", async ({ wish, seconds }) => {
  const item = await starting();
  expect(ok(await api.beat(item, undefined, query({ desired_ttl_seconds: wish }))).ttl_seconds).toBe(seconds);
});

const DECLARATIONS = [{ "x-stainless-retry-count": "1" }, { "idempotency-key": "beat 1" }];

test.each(DECLARATIONS)("a retry declared by %j gets the first answer again, and extends nothing", async (headers) => {
  const item = await starting();
  const wish = { desired_ttl_seconds: 30, expected_last_heartbeat: "NO_HEARTBEAT" };
  const first = ok(await api.beat(item, undefined, { query: wish, headers: { "idempotency-key": "beat 1" } }));
  const before = ok(await api.getWork(item));
  const repeat = { query: { ...wish, desired_ttl_seconds: 600 }, headers };
  expect(ok(await api.beat(item, undefined, repeat))).toEqual(first);
  expect(ok(await api.beat(item, undefined, repeat))).toEqual(first);
  expect(ok(await api.getWork(item))).toEqual(before);
  const second = ok(await api.beat(item, first.last_heartbeat)).last_heartbeat;
  await expectMismatch(item, "NO_HEARTBEAT", { headers });
  ok(await api.beat(item, second));
});

test.each([{}, { "x-stainless-retry-count": "0" }, { "idempotency-key": "another" }])(
  "a repeat that declares itself by %j is the documented mismatch",
  async (headers) => {
    const item = await starting();
    ok(await api.beat(item, "NO_HEARTBEAT", { headers: { "idempotency-key": "beat 1" } }));
    await expectMismatch(item, "NO_HEARTBEAT", { headers });
  },
);

test("a declared retry of a heartbeat that never arrived is a heartbeat", async () => {
  const item = await starting();
  const beat = await api.beat(item, "NO_HEARTBEAT", { headers: { "x-stainless-retry-count": "2" } });
  expect(ok(beat).state).toBe("active");
});

test("a heartbeat in stopping tells so, and goes on extending the lease", async () => {
  const item = await api.itemIn("stopping", (await api.environment()).id);
  expect(ok(await api.beat(item, item.latest_heartbeat_at ?? ""))).toMatchObject({
    state: "stopping",
    lease_extended: true,
  });
  const never = await starting();
  ok(await api.on(never, "stop"));
  expect(ok(await api.beat(never, "NO_HEARTBEAT")).state).toBe("stopping");
  expect(ok(await api.getWork(never)).started_at).toBeNull();
});

test.each(["heartbeat", "stop", "release"])(
  "%s under the name of another worker is 409 and changes nothing",
  async (verb) => {
    const item = await api.itemIn("active", (await api.environment()).id, "w1");
    const answer = await api.on(item, verb, { worker: "w2" });
    refused(answer, 409, "invalid_request_error");
    expect(answer.headers.get("x-should-retry")).toBe("false");
    expect(ok(await api.getWork(item))).toEqual(item);
    ok(await api.on(item, verb, { worker: "w1" }));
  },
);

test.each(["heartbeat", "stop", "release"])("%s without a name is allowed to whoever has the token", async (verb) => {
  const item = await api.itemIn("active", (await api.environment()).id, "w1");
  ok(await api.on(item, verb));
});
