import { OPERATION_NAMES, OPERATIONS, type Operation } from "../../../src/contract/operations.ts";
import { eventually } from "../../support/eventually.ts";
import type { TestServer } from "../../support/server.ts";
import { Api, MESSAGE, ok, refused } from "./api.ts";
import { inChunks } from "./chunks.ts";

/** One of everything, and everything once more in another environment. */
export interface World {
  readonly api: Api;
  /** Ids by the name of the path parameter that takes them. */
  readonly own: Ids;
  readonly foreign: Ids;
  readonly cloudId: string;
  /** An environment without sessions. */
  readonly emptyId: string;
  readonly stoppedWorkId: string;
  /** The last heartbeat of the own item, which is active. */
  readonly heartbeat: string;
  readonly workTokens: { readonly own: string; readonly foreign: string };
}

export interface Tokens {
  readonly client: string;
  readonly worker: string;
  /** The Work-Token of the own item. */
  readonly hand_out: string;
  /** A worker token of the other environment. */
  readonly foreignWorker: string;
  readonly foreignHandOut: string;
  readonly expired: string;
  readonly revoked: string;
}

export type Ids = Readonly<Record<string, string>>;

export async function createWorld(server: TestServer): Promise<World> {
  const api = new Api(server);
  const [own, foreign] = await Promise.all([populate(api), populate(api)]);
  const cloud = ok(await server.call<{ id: string }>("POST", "/environments", { body: { name: "cloud" } }));
  return {
    api,
    own: own.ids,
    foreign: foreign.ids,
    cloudId: cloud.id,
    emptyId: (await api.environment()).id,
    stoppedWorkId: own.stoppedWorkId,
    heartbeat: own.heartbeat,
    workTokens: { own: own.workToken, foreign: foreign.workToken },
  };
}

export async function createTokens({ api, own, foreign, workTokens }: World): Promise<Tokens> {
  const expired = (await api.token("admin", undefined, { expires_in_seconds: 1 })).token;
  const revoked = await api.token("admin");
  ok(await api.server.call("DELETE", `/tokens/${revoked.id}`));
  await eventually(async () => {
    for (const token of [expired, revoked.token]) refused(await api.server.call("GET", "/tokens", { token }), 401);
  });
  return {
    client: (await api.token("client")).token,
    worker: (await api.token("worker", own.environment_id)).token,
    hand_out: workTokens.own,
    foreignHandOut: workTokens.foreign,
    foreignWorker: (await api.token("worker", foreign.environment_id)).token,
    expired,
    revoked: revoked.token,
  };
}

/** An environment with a stopped item, an active one and one that waits. */
async function populate(api: Api) {
  const environmentId = (await api.environment()).id;
  const stopped = await api.itemIn("stopped", environmentId, "w1");
  const active = await api.queued(environmentId);
  const workToken = (await api.poll(environmentId, { worker: "w1" })).headers.get("work-token") ?? "";
  ok(await api.on(active, "ack", { token: workToken }));
  const heartbeat = ok(await api.beat(active, "NO_HEARTBEAT", { token: workToken })).last_heartbeat;
  await api.session(environmentId);
  const ids: Ids = {
    environment_id: environmentId,
    work_id: active.id,
    session_id: active.data.id,
    token_id: (await api.token("client")).id,
    agent_id: ok(await api.server.call<{ id: string }>("POST", "/agents", { body: { name: "a", model: "m" } })).id,
  };
  ok(await api.send(active.data.id, [MESSAGE]));
  return { ids, stoppedWorkId: stopped.id, heartbeat, workToken };
}

/** Fills the ids into an operation's path. */
export function pathOf(operation: Operation, ids: Ids): string {
  return operation.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name];
    if (id === undefined) throw new Error(`No fixture gives an id for the path parameter ${name} of ${operation.path}`);
    return id;
  });
}

/** Reads that answer at once. */
const READS = OPERATION_NAMES.map((name): Operation => OPERATIONS[name]).filter(
  ({ method, path }) => method === "GET" && !path.endsWith("/poll") && !path.endsWith("/stream"),
);
/** Fields that change without a call, or by any call. */
const VOLATILE = new Set(["stats", "last_used_at", "workers_polling"]);

/** Everything that an admin can read, so that a call which must change nothing can be shown to change nothing. */
export async function snapshot(world: World): Promise<Record<string, unknown>> {
  const paths = new Set([world.own, world.foreign].flatMap((ids) => READS.map((operation) => pathOf(operation, ids))));
  const seen: Record<string, unknown> = {};
  await inChunks([...paths], async (path) => {
    const query = path === "/environments" || path === "/sessions" ? "limit=100&include_archived=true" : "";
    const answer = await world.api.server.call<unknown>("GET", path, { query });
    seen[path] = { status: answer.status, body: withoutVolatile(answer.body) };
  });
  return seen;
}

function withoutVolatile(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutVolatile);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([name]) => !VOLATILE.has(name));
  return Object.fromEntries(kept.map(([name, entry]) => [name, withoutVolatile(entry)]));
}
