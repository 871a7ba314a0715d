import type { OperationName } from "../../../src/contract/operations.ts";
import { MESSAGE } from "./api.ts";
import type { Ids, World } from "./world.ts";

/**
 * One good call of each operation, with every parameter that it knows. Bad calls are made of it, one spoilt value each. An
 * operation that is missing here does not pass the type check, and a parameter that is missing does not pass the tests.
 */
export interface Baseline {
  /** Ids that this operation needs instead of those of the world's own environment. */
  readonly ids?: (world: World) => Ids;
  readonly query?: (world: World) => Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: (world: World) => unknown;
}

const METADATA = { team: "a" };
const worker = { "worker-id": "w1" };

/** Only one cursor may be given: the others are spoilt alone. */
const list = (kind: string, more: Readonly<Record<string, string>> = {}) => ({
  query: () => ({ limit: "5", page: id(kind), after_id: id(kind), before_id: id(kind), ...more }),
});
const id = (kind: string): string => `${kind}_${"0".repeat(32)}`;

const environment = {
  name: "n",
  description: "d",
  config: { type: "self_hosted", setup_script: "true", queue: { max_attempts: 3, drain_seconds: 9, start_seconds: 9 } },
  metadata: METADATA,
};
const agent = {
  name: "n",
  model: { id: "m" },
  system: "s",
  description: "d",
  tools: [{}],
  mcp_servers: [{}],
  skills: [{}],
  metadata: METADATA,
};

export const BASELINES: Readonly<Record<OperationName, Baseline>> = {
  pollWork: {
    query: () => ({ block_ms: "1", reclaim_older_than_ms: "5000" }),
    headers: { ...worker, prefer: "wait=1" },
  },
  listWork: list("work", { state: "queued" }),
  workStats: {},
  getWork: {},
  updateWork: { body: () => ({ metadata: METADATA }) },
  ackWork: { headers: worker },
  heartbeatWork: {
    query: ({ heartbeat }) => ({ expected_last_heartbeat: heartbeat, desired_ttl_seconds: "60" }),
    headers: { ...worker, "idempotency-key": "k", "x-stainless-retry-count": "1" },
  },
  stopWork: { headers: worker, body: () => ({ force: false, processed_through: id("evt") }) },
  releaseWork: { headers: worker, body: () => ({ reason: "r", delay_ms: 5 }) },

  createEnvironment: { body: () => environment },
  listEnvironments: list("env", { include_archived: "true" }),
  getEnvironment: {},
  updateEnvironment: { body: () => environment },
  archiveEnvironment: {},
  deleteEnvironment: { ids: ({ emptyId }) => ({ environment_id: emptyId }) },

  createSession: {
    body: ({ own }) => ({
      environment_id: own.environment_id,
      agent: { type: "agent", id: own.agent_id, version: 1 },
      title: "t",
      metadata: METADATA,
      initial_events: [MESSAGE],
      resources: [],
      environment_variables: {},
      vault_ids: [],
    }),
  },
  listSessions: {
    query: ({ own }) => ({
      ...list("sess").query(),
      statuses: "idle",
      agent_id: own.agent_id ?? "",
      environment_id: own.environment_id ?? "",
      include_archived: "true",
    }),
  },
  getSession: {},
  updateSession: { body: () => ({ title: "t", metadata: METADATA }) },
  deleteSession: {},
  archiveSession: {},
  cancelSession: {},
  sendEvents: { headers: worker, body: () => ({ events: [MESSAGE] }) },
  listEvents: {
    ...list("evt", { order: "desc", types: "user.message" }),
    headers: { accept: "application/json", "last-event-id": id("evt") },
  },
  streamEvents: { query: () => ({ after_id: id("evt") }), headers: { "last-event-id": id("evt") } },

  createAgent: { body: () => agent },
  listAgents: list("agent", { include_archived: "true" }),
  getAgent: { query: () => ({ version: "1" }) },
  updateAgent: { body: () => ({ version: 1, ...agent }) },
  archiveAgent: {},
  deleteAgent: {},
  listAgentVersions: { query: () => ({ limit: "5", page: "2", after_id: "2", before_id: "2" }) },

  createToken: {
    body: ({ own }) => ({ name: "n", role: "worker", environment_id: own.environment_id, expires_in_seconds: 60 }),
  },
  listTokens: list("tok"),
  revokeToken: {},
};
