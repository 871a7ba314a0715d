/** Made from the operations table: who may call what, and which of several faults a caller is told of first. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATION_NAMES, OPERATIONS, type Operation, type OperationName } from "../../src/contract/operations.ts";
import { type CallOptions, startTestServer, type TestServer } from "../support/server.ts";
import { refused, unknownId } from "./support/api.ts";
import { badBodiesOf, badHeaders, badQueries } from "./support/bad-calls.ts";
import { BASELINES } from "./support/baselines.ts";
import { inChunks } from "./support/chunks.ts";
import { createTokens, createWorld, type Ids, pathOf, snapshot, type Tokens, type World } from "./support/world.ts";

let server: TestServer;
let world: World;
let tokens: Tokens;

beforeAll(async () => {
  server = await startTestServer();
  world = await createWorld(server);
  tokens = await createTokens(world);
});
afterAll(() => server.stop());

function call(name: OperationName, options: CallOptions, ids: Ids = {}) {
  const operation: Operation = OPERATIONS[name];
  const path = pathOf(operation, { ...world.own, ...BASELINES[name].ids?.(world), ...ids });
  return server.call(operation.method, path, { body: BASELINES[name].body?.(world), ...options });
}

/** Ids that name nothing, and ids that cannot name anything. */
const malformedIds = (): Ids => Object.fromEntries(Object.keys(world.own).map((name) => [name, "x"]));
const unknownIds = (): Ids =>
  Object.fromEntries(
    Object.entries(world.own).map(([name, id]) => [name, unknownId(id.slice(0, id.indexOf("_") + 1))]),
  );

/** Something that is a 400 for whoever may call the operation at all; nothing where it has no parameters. */
function syntaxFault(name: OperationName): CallOptions | undefined {
  const bad = badQueries(name, world)[0] ?? badBodiesOf(name, world)[0] ?? badHeaders(name)[0];
  if (bad === undefined) return undefined;
  const { query = "", headers = {}, body } = bad;
  return body === undefined ? { query, headers } : { query, headers, body };
}

const bearer = (value: string): CallOptions => ({ token: null, headers: { authorization: value } });

const credentials = (): Record<string, CallOptions> => ({
  none: { token: null },
  "an x-api-key only": { token: null, headers: { "x-api-key": server.adminToken } },
  "an empty bearer": bearer("Bearer "),
  "a bearer without a token": bearer("Bearer"),
  "another scheme": bearer(`Basic ${server.adminToken}`),
  "the bare token": bearer(server.adminToken),
  "two tokens": bearer(`Bearer ${server.adminToken} ${server.adminToken}`),
  "half a token": { token: server.adminToken.slice(0, -1) },
  "a token with more behind it": { token: `${server.adminToken}x` },
  unknown: { token: "cpt_unknown" },
  enormous: { token: "x".repeat(9_000) },
  expired: { token: tokens.expired },
  revoked: { token: tokens.revoked },
});

test.each(OPERATION_NAMES)("%s answers 401 without a valid token, whatever else is wrong", async (name) => {
  await inChunks(Object.entries(credentials()), async ([what, credential]) => {
    const answer = await call(name, credential);
    expect(answer.status, what).toBe(401);
    refused(answer, 401, "authentication_error");
    const fault = syntaxFault(name);
    const headers = { ...fault?.headers, ...credential.headers };
    refused(await call(name, { ...fault, ...credential, headers }, malformedIds()), 401, "authentication_error");
  });
});

/** Tokens that are valid and may not make this call. */
function forbidden(name: OperationName): string[] {
  const { roles, path }: Operation = OPERATIONS[name];
  const found: string[] = [];
  if (!roles.includes("client")) found.push(tokens.client);
  if (!roles.includes("worker")) found.push(tokens.worker);
  const bound = path.includes("{environment_id}") || path.includes("{session_id}");
  if (!roles.includes("hand_out")) found.push(tokens.hand_out);
  if (bound || !roles.includes("worker")) found.push(tokens.foreignWorker);
  if (bound || !roles.includes("hand_out")) found.push(tokens.foreignHandOut);
  return found;
}

test.each(OPERATION_NAMES)(
  "%s answers 403 to a token that may not call it, before it looks at anything",
  async (name) => {
    const before = await snapshot(world);
    for (const token of forbidden(name)) {
      for (const ids of [{}, unknownIds(), malformedIds()]) {
        refused(await call(name, { token }, ids), 403, "permission_error");
        refused(await call(name, { ...syntaxFault(name), token }, ids), 403, "permission_error");
      }
    }
    expect(await snapshot(world)).toEqual(before);
  },
);

test("a 403 names the roles that may, and a Work-Token by its name", async () => {
  const message = async (name: OperationName, token: string) => refused(await call(name, { token }), 403).message;
  expect(await message("ackWork", tokens.client)).toBe(
    "This needs a token of role admin or worker, or the Work-Token of the item; yours has role client.",
  );
  expect(await message("listTokens", tokens.hand_out)).toBe("This needs a token of role admin; yours is a Work-Token.");
});

test.each(OPERATION_NAMES)("%s tells a worker nothing about environments that are not its own", async (name) => {
  const { roles, path }: Operation = OPERATIONS[name];
  if (!roles.includes("worker") || !path.includes("{environment_id}")) return;
  const told = [world.foreign.environment_id, world.cloudId, unknownId("env_"), "x"].map(async (id) => {
    const answer = await call(name, { token: tokens.worker }, { environment_id: id ?? "" });
    return { status: answer.status, message: answer.body.error.message };
  });
  const [first, ...others] = await Promise.all(told);
  expect(first?.status).toBe(403);
  for (const other of others) expect(other).toEqual(first);
});

test.each(OPERATION_NAMES)("%s answers 400 for bad syntax before 404 for an id, and 404 after it", async (name) => {
  const { path }: Operation = OPERATIONS[name];
  if (!path.includes("{")) return;
  const fault = syntaxFault(name);
  for (const ids of [unknownIds(), malformedIds()]) {
    if (fault !== undefined) refused(await call(name, fault, ids), 400, "invalid_request_error");
    refused(await call(name, {}, ids), 404, "not_found_error");
  }
});

const WORK = OPERATION_NAMES.filter((name) => OPERATIONS[name].path.includes("/work"));

test.each(WORK)("%s answers 400 for an environment without a queue, after 404 and before 409", async (name) => {
  const cloud = { environment_id: world.cloudId };
  const { param, message } = refused(await call(name, {}, cloud), 400, "invalid_request_error");
  expect(param).toBe("environment_id");
  expect(message).toContain("self_hosted");
  refused(await call(name, {}, { ...cloud, work_id: world.stoppedWorkId }), 400);
});

test.each(WORK)("%s answers 400 and 404 before it says anything about the state of an item", async (name) => {
  const { path, errors }: Operation = OPERATIONS[name];
  if (!path.includes("{work_id}") || !errors.includes("work_conflict")) return;
  const stopped = { work_id: world.stoppedWorkId };
  const fault = syntaxFault(name);
  if (fault !== undefined) refused(await call(name, fault, stopped), 400, "invalid_request_error");
  const elsewhere = { ...stopped, environment_id: world.foreign.environment_id ?? "" };
  refused(await call(name, {}, elsewhere), 404, "not_found_error");
});

test.each(OPERATION_NAMES)("%s lets every role that its row names pass", async (name) => {
  const { roles }: Operation = OPERATIONS[name];
  for (const role of roles) {
    // A fault that comes after the role shows that the caller came past it, without doing anything.
    const answer = await call(
      name,
      { ...syntaxFault(name), token: tokens[role] },
      role === "client" ? unknownIds() : {},
    );
    expect([200, 400, 404], role).toContain(answer.status);
  }
});
