/**
 * Made from the operations table: every parameter of every operation is spoilt in every way that its schema refuses. An
 * operation or a parameter that is added without a baseline, or whose schema gives no bad value, fails here.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  OPERATION_NAMES,
  OPERATIONS,
  type Operation,
  type OperationName,
  pathParameters,
} from "../../src/contract/operations.ts";
import { type Answer, startTestServer, type TestServer } from "../support/server.ts";
import { refused } from "./support/api.ts";
import {
  type BadCall,
  badBodiesOf,
  badHeaders,
  badIds,
  badQueries,
  LENIENT_HEADERS,
  namesParameter,
} from "./support/bad-calls.ts";
import { BASELINES } from "./support/baselines.ts";
import { inChunks } from "./support/chunks.ts";
import { createWorld, type Ids, pathOf, snapshot, type World } from "./support/world.ts";

let server: TestServer;
let world: World;
/** For calls that are accepted: a poll delivers, and what it delivered comes due again by itself. */
let spare: World;

beforeAll(async () => {
  server = await startTestServer();
  world = await createWorld(server);
  spare = await createWorld(server);
});
afterAll(() => server.stop());

/** The operation's good call, with some of its parts replaced. */
function call(name: OperationName, changed: Partial<BadCall> & { ids?: Ids }, of = world): Promise<Answer<unknown>> {
  const operation: Operation = OPERATIONS[name];
  const { ids, body } = BASELINES[name];
  return server.call(operation.method, pathOf(operation, { ...of.own, ...ids?.(of), ...changed.ids }), {
    query: changed.query ?? "",
    headers: changed.headers ?? {},
    body: "body" in changed ? changed.body : body?.(of),
  });
}

test.each(OPERATION_NAMES)("%s accepts its baseline, with the answer that its row documents", async (name) => {
  const fresh = OPERATIONS[name].method === "GET" ? spare : await createWorld(server);
  const { page, after_id: _after, before_id: _before, ...others } = BASELINES[name].query?.(fresh) ?? {};
  const query = new URLSearchParams(page === undefined ? others : { ...others, page }).toString();
  const answer = await call(name, { query, headers: BASELINES[name].headers ?? {} }, fresh);
  expect(answer).toMatchObject({ status: 200 });
  // Parsing drops what a shape does not have, so that an answer is documented only when nothing was dropped.
  const { response, stream } = OPERATIONS[name] as Operation;
  if (stream !== true) expect(response.parse(answer.body)).toEqual(answer.body);
});

test.each(OPERATION_NAMES)("%s refuses each bad parameter by its name, and changes nothing", async (name) => {
  const before = await snapshot(world);
  const calls = [...badQueries(name, world), ...badHeaders(name), ...badBodiesOf(name, world)];
  await inChunks(calls, async (bad) => {
    const answer = await call(name, bad);
    expect(answer, bad.what).toMatchObject({ status: 400 });
    const { param, message } = refused(answer, 400, "invalid_request_error");
    expect(namesParameter(bad, param), `${bad.what} answers param ${param}`).toBe(true);
    if (param !== undefined) expect(message.startsWith(param), message).toBe(true);
  });
  expect(await snapshot(world)).toEqual(before);
});

test.each(OPERATION_NAMES)("%s answers 404 for an id that is malformed, unknown or foreign", async (name) => {
  const before = await snapshot(world);
  const wrong = pathParameters(OPERATIONS[name].path).flatMap((param) =>
    badIds(param, world).map((id): Ids => ({ [param]: id })),
  );
  await inChunks(wrong, async (ids) => {
    const answer = await call(name, { ids });
    expect(answer, JSON.stringify(ids).slice(0, 200)).toMatchObject({ status: 404 });
    refused(answer, 404, "not_found_error");
  });
  if (wrong.length > 0) expect(await snapshot(world)).toEqual(before);
});

const READS = OPERATION_NAMES.filter((name) => OPERATIONS[name].method === "GET");

test.each(READS)("%s ignores query parameters that it does not know", async (name) => {
  const query = "unheard_of=&unheard_of=1&constructor=x&__proto__=y&toString=";
  expect(await call(name, { query }, spare)).toMatchObject({ status: 200 });
});

const NO_WISH = ["", "nonsense", "wait=", "wait=-1", "wait=0", "wait=1.5", "-1", "0", "1e9", "x".repeat(5_000)];

test.each(OPERATION_NAMES)("%s takes a lenient header that makes no sense as not sent", async (name) => {
  const { headers } = OPERATIONS[name] as Operation;
  for (const header of Object.keys(headers?.shape ?? {}).filter((known) => LENIENT_HEADERS.has(known))) {
    for (const value of NO_WISH) {
      const answer = await call(name, { headers: { [header]: value } }, spare);
      expect(answer, `${header}: ${value.slice(0, 20)}`).toMatchObject({ status: 200 });
      expect(answer.headers.get("preference-applied")).toBeNull();
    }
  }
});
