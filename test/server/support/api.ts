import { expect } from "vitest";
import type {
  CreatedToken,
  Environment,
  ErrorBody,
  List,
  Session,
  SessionEvent,
  Work,
  WorkHeartbeat,
  WorkQueueStats,
} from "../../../src/contract/shapes.ts";
import type { Answer, CallOptions, TestServer } from "../../support/server.ts";

export const MESSAGE = { type: "user.message", content: [{ type: "text", text: "Do it." }] };
export const REPLY = { type: "agent.message", content: [{ type: "text", text: "Done." }] };

/** Ids that are well-formed and name nothing. */
export const unknownId = (prefix: string): string => `${prefix}${"0".repeat(32)}`;
/** Behind every id of its kind: the page before it ends with the newest record. */
const LAST_WORK = `work_${"f".repeat(32)}`;

/** The value of a call that has to succeed. */
export function ok<T>(answer: Answer<T>): T {
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status: 200 });
  return answer.body;
}

/** The fault of a call that has to be refused with this status. */
export function refused(answer: Answer<unknown>, status: number, type?: string): ErrorBody["error"] {
  expect({ status: answer.status, body: answer.body }).toMatchObject({ status, body: { type: "error" } });
  const body = answer.body as ErrorBody;
  expect(body.request_id).toBe(answer.headers.get("x-request-id"));
  if (type !== undefined) expect(body.error.type).toBe(type);
  return body.error;
}

export interface WorkCall extends CallOptions {
  readonly worker?: string;
}

/** Calls of the API as tests write them, with the admin token unless another one is given. */
export class Api {
  readonly server: TestServer;

  constructor(server: TestServer) {
    this.server = server;
  }

  async environment(queue: Record<string, number> = {}): Promise<Environment> {
    const body = { name: "test", config: { type: "self_hosted", queue } };
    return ok(await this.server.call<Environment>("POST", "/environments", { body }));
  }

  async token(role: string, environmentId?: string, fields: Record<string, unknown> = {}): Promise<CreatedToken> {
    const bound = environmentId === undefined ? {} : { environment_id: environmentId };
    const body = { name: `test ${role}`, role, ...bound, ...fields };
    return ok(await this.server.call<CreatedToken>("POST", "/tokens", { body }));
  }

  /** A session with one message, unless other events are given. */
  async session(environmentId: string, fields: Record<string, unknown> = {}): Promise<Session> {
    const body = { environment_id: environmentId, initial_events: [MESSAGE], ...fields };
    return ok(await this.server.call<Session>("POST", "/sessions", { body }));
  }

  getSession(id: string, options?: CallOptions): Promise<Answer<Session>> {
    return this.server.call("GET", `/sessions/${id}`, options);
  }

  send(sessionId: string, events: readonly unknown[], { worker, ...options }: WorkCall = {}) {
    return this.server.call<{ data: SessionEvent[] }>("POST", `/sessions/${sessionId}/events`, {
      ...options,
      body: { events },
      headers: { ...options.headers, ...named(worker) },
    });
  }

  async events(sessionId: string): Promise<SessionEvent[]> {
    const query = { limit: 1_000 };
    return ok(await this.server.call<List<SessionEvent>>("GET", `/sessions/${sessionId}/events`, { query })).data;
  }

  poll(environmentId: string, { worker, ...options }: WorkCall = {}): Promise<Answer<Work | null>> {
    const headers = { ...options.headers, ...named(worker) };
    return this.server.call("GET", `/environments/${environmentId}/work/poll`, { ...options, headers });
  }

  getWork(work: ItemRef, options?: CallOptions): Promise<Answer<Work>> {
    return this.server.call("GET", itemPath(work), options);
  }

  /** One call on an item: `ack`, `heartbeat`, `stop` or `release`. */
  on<T = Work>(work: ItemRef, verb: string, { worker, ...options }: WorkCall = {}): Promise<Answer<T>> {
    const headers = { ...options.headers, ...named(worker) };
    return this.server.call("POST", `${itemPath(work)}/${verb}`, { ...options, headers });
  }

  beat(work: ItemRef, expected?: string, options: WorkCall = {}): Promise<Answer<WorkHeartbeat>> {
    const query = expected === undefined ? {} : { expected_last_heartbeat: expected };
    return this.on<WorkHeartbeat>(work, "heartbeat", { query, ...options });
  }

  async stats(environmentId: string): Promise<WorkQueueStats> {
    return ok(await this.server.call<WorkQueueStats>("GET", `/environments/${environmentId}/work/stats`));
  }

  /** The newest item of an environment. */
  async newestWork(environmentId: string): Promise<Work> {
    const query = { limit: 1, before_id: LAST_WORK };
    const list = await this.server.call<List<Work>>("GET", `/environments/${environmentId}/work`, { query });
    return ok(list).data[0] as Work;
  }

  /** A new session whose item waits in the queue. */
  async queued(environmentId: string): Promise<Work> {
    await this.session(environmentId);
    return this.newestWork(environmentId);
  }

  /** A new item in this state, held by `worker` where somebody holds it. The queue has to be empty. */
  async itemIn(state: Work["state"], environmentId: string, worker?: string): Promise<Work> {
    const options = worker === undefined ? {} : { worker };
    const item = await this.queued(environmentId);
    if (state === "queued") return item;
    ok(await this.poll(environmentId, options));
    ok(await this.on(item, "ack", options));
    if (state !== "starting") ok(await this.beat(item, "NO_HEARTBEAT", options));
    if (state === "stopping" || state === "stopped") ok(await this.on(item, "stop", options));
    if (state === "stopped") ok(await this.on(item, "stop", options));
    const read = ok(await this.getWork(item));
    expect(read.state).toBe(state);
    return read;
  }
}

export type ItemRef = Pick<Work, "id" | "environment_id">;

export const itemPath = (work: ItemRef): string => `/environments/${work.environment_id}/work/${work.id}`;

const named = (worker: string | undefined): Record<string, string> =>
  worker === undefined ? {} : { "worker-id": worker };
