import { z } from "zod";
import { eventKind } from "../core/event-types.ts";
import type { FaultKind } from "../core/faults.ts";
import type { IdKind } from "../core/ids.ts";
import { DEFAULT_RECLAIM_MS, TTL_SECONDS } from "../core/lease.ts";
import type { TokenRole } from "../core/records.ts";
import { WORK_STATES } from "../core/transitions.ts";
import {
  createAgentBody,
  createEnvironmentBody,
  createSessionBody,
  createTokenBody,
  releaseWorkBody,
  sendEventsBody,
  stopWorkBody,
  updateAgentBody,
  updateEnvironmentBody,
  updateSessionBody,
  updateWorkBody,
} from "./bodies.ts";
import { LIMITS } from "./limits.ts";
import {
  booleanParam,
  choiceParam,
  expectedHeartbeat,
  type IntegerRange,
  idHeader,
  idParam,
  integerParam,
  listParam,
  nameHeader,
} from "./parameters.ts";
import {
  agentShape,
  createdTokenShape,
  deletedShape,
  environmentShape,
  eventShape,
  heartbeatShape,
  listOf,
  sessionShape,
  statsShape,
  tokenShape,
  workShape,
} from "./shapes.ts";

/** Roles of tokens, and the bearer of a `Work-Token`, who may act for one hand-out of one item. */
export type CallerRole = TokenRole | "hand_out";

/** Everything that is known of one call. Routes, OpenAPI, the client and the reference docs are derived from it. */
export interface Operation {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the base path; `{name}` is a path parameter, always the id of that kind. */
  readonly path: string;
  readonly summary: string;
  /** Who may call it besides `admin`. A worker token reaches only what belongs to its environment. */
  readonly roles: readonly Exclude<CallerRole, "admin">[];
  readonly headers?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  readonly response: z.ZodType;
  /** Besides 401, 403, 429, 500 and 503, which every call may answer. */
  readonly errors: readonly FaultKind[];
  /** Ours; not part of the published API. */
  readonly extension?: true;
  /** Answers with server-sent events, each of them a `response`. */
  readonly stream?: true;
}

export const BASE_PATH = "/api/v1/cloud";

const operation = <const T extends Operation>(definition: T) => definition;

const cursors = (kind: IdKind) => ({
  page: idParam(kind, "A `next_page` of this list."),
  after_id: idParam(kind, "The records after this one."),
  before_id: idParam(kind, "The page that ends right before this one."),
});
const limit = (range: IntegerRange, byDefault: number) =>
  integerParam(
    range,
    `Records per page. Default ${byDefault}.${range.capped ? ` More than ${range.max} count as ${range.max}.` : ""}`,
  );
const pageLimit = { min: 1, max: LIMITS.page.max };

const workerId = {
  "worker-id": nameHeader("Worker-ID", "A stable name that the worker chose for itself. It is no credential."),
};

const lastEventId = idHeader("event", "Everything after this event. Left out: only what comes from now on.");

const WORK = "/environments/{environment_id}/work";
const ITEM = `${WORK}/{work_id}`;
const ENVIRONMENT = "/environments/{environment_id}";
const AGENT = "/agents/{agent_id}";
const SESSION = "/sessions/{session_id}";

export const OPERATIONS = {
  pollWork: operation({
    method: "GET",
    path: `${WORK}/poll`,
    summary: "Hand out the oldest item that waits, or null",
    roles: ["worker"],
    headers: z.object({
      ...workerId,
      prefer: z
        .unknown()
        .transform(preferredWait)
        .meta({
          type: "string",
          description: `\`wait=N\`: wait up to N seconds (${LIMITS.preferWaitSeconds.min}-${LIMITS.preferWaitSeconds.max}) for work. Extension.`,
        })
        .optional(),
    }),
    query: z.object({
      block_ms: integerParam(LIMITS.blockMs, "Wait up to this many milliseconds for work. Left out: do not wait."),
      reclaim_older_than_ms: integerParam(
        { min: 0 },
        `Hand out again what was delivered, but not acknowledged, at least this long ago. Default ${DEFAULT_RECLAIM_MS}.`,
      ),
    }),
    response: workShape.nullable(),
    errors: ["invalid_request", "not_found"],
  }),
  listWork: operation({
    method: "GET",
    path: WORK,
    summary: "List the items of an environment, oldest first",
    roles: ["client", "worker"],
    query: z.object({
      limit: limit({ ...pageLimit, capped: true }, LIMITS.page.default),
      ...cursors("work"),
      state: choiceParam(WORK_STATES, "Only items in this state. Extension."),
    }),
    response: listOf(workShape),
    errors: ["invalid_request", "not_found"],
  }),
  workStats: operation({
    method: "GET",
    path: `${WORK}/stats`,
    summary: "Count what waits and who polls",
    roles: ["client", "worker"],
    response: statsShape,
    errors: ["invalid_request", "not_found"],
  }),
  getWork: operation({
    method: "GET",
    path: ITEM,
    summary: "Get one item",
    roles: ["client", "worker", "hand_out"],
    response: workShape,
    errors: ["invalid_request", "not_found"],
  }),
  updateWork: operation({
    method: "POST",
    path: ITEM,
    summary: "Merge metadata into an item",
    roles: ["worker", "hand_out"],
    body: updateWorkBody,
    response: workShape,
    errors: ["invalid_request", "not_found"],
  }),
  ackWork: operation({
    method: "POST",
    path: `${ITEM}/ack`,
    summary: "Take a delivered item: its lease begins",
    roles: ["worker", "hand_out"],
    headers: z.object(workerId),
    response: workShape,
    errors: ["invalid_request", "not_found", "work_conflict"],
  }),
  heartbeatWork: operation({
    method: "POST",
    path: `${ITEM}/heartbeat`,
    summary: "Extend the lease of an item",
    roles: ["worker", "hand_out"],
    headers: z.object({
      ...workerId,
      "idempotency-key": nameHeader("Idempotency-Key", "The same for every try of one heartbeat. Extension."),
      "x-stainless-retry-count": z
        .unknown()
        .transform((value) => typeof value === "string" && /^[1-9]\d{0,5}$/.test(value))
        .meta({ type: "integer", description: "1 or more declares a repeated call. Extension." })
        .optional(),
    }),
    query: z.object({
      expected_last_heartbeat: expectedHeartbeat,
      desired_ttl_seconds: integerParam(
        { min: 1 },
        `Seconds until the lease ends; brought into ${TTL_SECONDS.min}-${TTL_SECONDS.max}. Default ${TTL_SECONDS.default}.`,
      ),
    }),
    response: heartbeatShape,
    errors: ["invalid_request", "not_found", "work_conflict", "precondition_failed"],
  }),
  stopWork: operation({
    method: "POST",
    path: `${ITEM}/stop`,
    summary: "Ask an item to stop, confirm that it has, or force it",
    roles: ["client", "worker", "hand_out"],
    headers: z.object(workerId),
    body: stopWorkBody,
    response: workShape,
    errors: ["invalid_request", "not_found", "work_conflict"],
  }),
  releaseWork: operation({
    method: "POST",
    path: `${ITEM}/release`,
    summary: "Give an item back, so that another worker takes it",
    roles: ["worker", "hand_out"],
    headers: z.object(workerId),
    body: releaseWorkBody,
    response: workShape,
    errors: ["invalid_request", "not_found", "work_conflict"],
    extension: true,
  }),

  createEnvironment: operation({
    method: "POST",
    path: "/environments",
    summary: "Create an environment",
    roles: [],
    body: createEnvironmentBody,
    response: environmentShape,
    errors: ["invalid_request"],
  }),
  listEnvironments: operation({
    method: "GET",
    path: "/environments",
    summary: "List environments, newest first",
    roles: ["client"],
    query: z.object({
      limit: limit(pageLimit, LIMITS.page.default),
      ...cursors("environment"),
      include_archived: booleanParam("Archived ones too. Default false."),
    }),
    response: listOf(environmentShape),
    errors: ["invalid_request"],
  }),
  getEnvironment: operation({
    method: "GET",
    path: ENVIRONMENT,
    summary: "Get one environment",
    roles: ["client", "worker"],
    response: environmentShape,
    errors: ["not_found"],
  }),
  updateEnvironment: operation({
    method: "POST",
    path: ENVIRONMENT,
    summary: "Change an environment; what is left out stays",
    roles: [],
    body: updateEnvironmentBody,
    response: environmentShape,
    errors: ["invalid_request", "not_found"],
  }),
  archiveEnvironment: operation({
    method: "POST",
    path: `${ENVIRONMENT}/archive`,
    summary: "Archive an environment: it takes no new session",
    roles: [],
    response: environmentShape,
    errors: ["not_found", "conflict"],
  }),
  deleteEnvironment: operation({
    method: "DELETE",
    path: ENVIRONMENT,
    summary: "Delete an environment that no session refers to",
    roles: [],
    response: deletedShape("environment_deleted"),
    errors: ["not_found", "work_conflict"],
  }),

  createSession: operation({
    method: "POST",
    path: "/sessions",
    summary: "Create a session, and queue it when it has something to do",
    roles: ["client"],
    body: createSessionBody,
    response: sessionShape,
    errors: ["invalid_request", "not_found", "conflict"],
  }),
  listSessions: operation({
    method: "GET",
    path: "/sessions",
    summary: "List sessions, newest first",
    roles: ["client", "worker"],
    query: z.object({
      limit: limit(pageLimit, LIMITS.page.default),
      ...cursors("session"),
      statuses: listParam(
        (text) => ["idle", "running", "rescheduling", "terminated"].includes(text),
        "idle, running, rescheduling or terminated",
        "Only sessions with one of these statuses.",
      ),
      agent_id: idParam("agent", "Only sessions of this agent."),
      environment_id: idParam("environment", "Only sessions of this environment. Extension."),
      include_archived: booleanParam("Archived ones too. Default false."),
    }),
    response: listOf(sessionShape),
    errors: ["invalid_request"],
  }),
  getSession: operation({
    method: "GET",
    path: SESSION,
    summary: "Get one session",
    roles: ["client", "worker", "hand_out"],
    response: sessionShape,
    errors: ["not_found"],
  }),
  updateSession: operation({
    method: "POST",
    path: SESSION,
    summary: "Change the title or the metadata of a session",
    roles: ["client"],
    body: updateSessionBody,
    response: sessionShape,
    errors: ["invalid_request", "not_found", "conflict"],
  }),
  deleteSession: operation({
    method: "DELETE",
    path: SESSION,
    summary: "Delete a session; its live item is stopped",
    roles: ["client"],
    response: deletedShape("session_deleted"),
    errors: ["not_found"],
  }),
  archiveSession: operation({
    method: "POST",
    path: `${SESSION}/archive`,
    summary: "End a session for good; its live item is stopped",
    roles: ["client"],
    response: sessionShape,
    errors: ["not_found", "conflict"],
  }),
  cancelSession: operation({
    method: "POST",
    path: `${SESSION}/cancel`,
    summary: "Ask the session's worker to stop",
    roles: ["client"],
    response: sessionShape,
    errors: ["not_found", "conflict"],
  }),
  sendEvents: operation({
    method: "POST",
    path: `${SESSION}/events`,
    summary: "Add events to a session: all of them or none",
    roles: ["client", "worker", "hand_out"],
    headers: z.object(workerId),
    body: sendEventsBody,
    response: z.object({ data: z.array(eventShape) }),
    errors: ["invalid_request", "not_found", "conflict"],
  }),
  listEvents: operation({
    method: "GET",
    path: `${SESSION}/events`,
    summary: "List the events of a session, oldest first; with `Accept: text/event-stream`, follow them",
    roles: ["client", "worker", "hand_out"],
    headers: z.object({
      accept: z
        .unknown()
        .transform((value) => String(value).includes("text/event-stream"))
        .meta({ type: "string" })
        .optional(),
      "last-event-id": lastEventId,
    }),
    query: z.object({
      limit: limit({ min: 1, max: LIMITS.eventsPage.max }, LIMITS.eventsPage.default),
      ...cursors("event"),
      order: choiceParam(["asc", "desc"], "Default asc."),
      types: listParam((text) => eventKind(text) !== undefined, "event types", "Only events of these types."),
    }),
    response: listOf(eventShape),
    errors: ["invalid_request", "not_found"],
  }),

  streamEvents: operation({
    method: "GET",
    path: `${SESSION}/events/stream`,
    summary: "Follow the events of a session as they happen (server-sent events)",
    roles: ["client", "worker", "hand_out"],
    headers: z.object({
      "last-event-id": lastEventId,
    }),
    query: z.object({ after_id: idParam("event", "The same as `Last-Event-ID`, which wins.") }),
    response: eventShape,
    errors: ["invalid_request", "not_found"],
    stream: true,
  }),

  createAgent: operation({
    method: "POST",
    path: "/agents",
    summary: "Create an agent",
    roles: ["client"],
    body: createAgentBody,
    response: agentShape,
    errors: ["invalid_request"],
  }),
  listAgents: operation({
    method: "GET",
    path: "/agents",
    summary: "List agents, newest first",
    roles: ["client"],
    query: z.object({
      limit: limit(pageLimit, LIMITS.page.default),
      ...cursors("agent"),
      include_archived: booleanParam("Archived ones too. Default false."),
    }),
    response: listOf(agentShape),
    errors: ["invalid_request"],
  }),
  getAgent: operation({
    method: "GET",
    path: AGENT,
    summary: "Get an agent, in its newest version or another",
    roles: ["client"],
    query: z.object({ version: integerParam({ min: 1 }, "The version. Default: the newest.") }),
    response: agentShape,
    errors: ["invalid_request", "not_found"],
  }),
  updateAgent: operation({
    method: "POST",
    path: AGENT,
    summary: "Make the next version of an agent; what is left out stays",
    roles: ["client"],
    body: updateAgentBody,
    response: agentShape,
    errors: ["invalid_request", "not_found", "conflict"],
  }),
  archiveAgent: operation({
    method: "POST",
    path: `${AGENT}/archive`,
    summary: "Archive an agent: it takes no new session",
    roles: ["client"],
    response: agentShape,
    errors: ["not_found", "conflict"],
  }),
  deleteAgent: operation({
    method: "DELETE",
    path: AGENT,
    summary: "Delete an agent; sessions keep their snapshot of it",
    roles: ["client"],
    response: deletedShape("agent_deleted"),
    errors: ["not_found"],
  }),
  listAgentVersions: operation({
    method: "GET",
    path: `${AGENT}/versions`,
    summary: "List the versions of an agent, newest first",
    roles: ["client"],
    query: z.object({
      limit: limit(pageLimit, LIMITS.page.default),
      page: integerParam({ min: 1 }, "A `next_page` of this list: the version to go on below."),
    }),
    response: listOf(agentShape),
    errors: ["invalid_request", "not_found"],
  }),

  createToken: operation({
    method: "POST",
    path: "/tokens",
    summary: "Make a token; the answer is the only place that shows its secret",
    roles: [],
    body: createTokenBody,
    response: createdTokenShape,
    errors: ["invalid_request", "not_found"],
    extension: true,
  }),
  listTokens: operation({
    method: "GET",
    path: "/tokens",
    summary: "List tokens, newest first",
    roles: [],
    query: z.object({ limit: limit(pageLimit, LIMITS.page.default), ...cursors("token") }),
    response: listOf(tokenShape),
    errors: ["invalid_request"],
    extension: true,
  }),
  revokeToken: operation({
    method: "DELETE",
    path: "/tokens/{token_id}",
    summary: "Revoke a token",
    roles: [],
    response: deletedShape("token_deleted"),
    errors: ["not_found"],
    extension: true,
  }),
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof OPERATIONS;
export const OPERATION_NAMES = Object.keys(OPERATIONS) as OperationName[];

/** The path parameter and the kind of id that it takes. */
export const PATH_PARAMETERS: Readonly<Record<string, IdKind>> = {
  environment_id: "environment",
  work_id: "work",
  session_id: "session",
  agent_id: "agent",
  token_id: "token",
};

/** The names in a path, in order. */
export const pathParameters = (path: string): string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string);

/** `Prefer: wait=N` (RFC 7240): a wish above the bound is brought down to it, anything else is no wish. */
function preferredWait(value: unknown): number | undefined {
  const match = typeof value === "string" ? /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])/i.exec(value) : null;
  const seconds = Number(match?.[1] ?? 0);
  return seconds < LIMITS.preferWaitSeconds.min ? undefined : Math.min(seconds, LIMITS.preferWaitSeconds.max);
}

/* Types of a call, as its caller writes it: path, query, headers and body in one object, under their wire names. */

type PathNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathNames<Rest>
  : never;
type OutputOf<Part> = Part extends z.ZodType ? z.output<Part> : unknown;
type InputOf<Part> = Part extends z.ZodType ? z.input<Part> : unknown;
type Part<Name extends OperationName, Key extends string> = (typeof OPERATIONS)[Name] extends {
  readonly [K in Key]: infer P;
}
  ? P
  : undefined;

/** What a handler receives. */
export interface OperationRequest<Name extends OperationName> {
  readonly path: Readonly<Record<PathNames<(typeof OPERATIONS)[Name]["path"]>, string>>;
  readonly query: OutputOf<Part<Name, "query">>;
  readonly headers: OutputOf<Part<Name, "headers">>;
  readonly body: OutputOf<Part<Name, "body">>;
}

/** What a call answers. */
export type OperationResponse<Name extends OperationName> = z.output<(typeof OPERATIONS)[Name]["response"]>;

/** What a caller sends: the body's own fields, and the path parameters. */
export type OperationBody<Name extends OperationName> = InputOf<Part<Name, "body">>;
export type OperationPath<Name extends OperationName> = PathNames<(typeof OPERATIONS)[Name]["path"]>;
export type OperationQuery<Name extends OperationName> =
  Part<Name, "query"> extends z.ZodObject<infer Shape> ? keyof Shape : never;
