/** Records as rows and back. Column names stand here and in the migrations, nowhere else. */
import type {
  AgentRecord,
  AgentVersionRecord,
  EnvironmentRecord,
  EventRecord,
  Json,
  JsonObject,
  Metadata,
  SessionRecord,
  SessionStatus,
  TokenRecord,
  TokenRole,
  WorkRecord,
} from "../../core/records.ts";
import type { WorkState } from "../../core/transitions.ts";
import { readText, writeText } from "../text.ts";
import type { Row, Value } from "./driver.ts";

/** How a record type is kept: its table, its columns with the value of each, and the way back. */
export interface Table<Record> {
  readonly name: string;
  /** The first is the primary key. */
  readonly columns: readonly string[];
  values(record: Record): Value[];
  record(row: Row): Record;
}

const NO_METADATA: Metadata = {};
const EMPTY = "{}";
const writeMetadata = (metadata: Metadata): string => {
  for (const _ in metadata) return JSON.stringify(metadata);
  return EMPTY;
};
const readMetadata = (text: Value): Metadata => (text === EMPTY ? NO_METADATA : JSON.parse(text as string));

export const WORK: Table<WorkRecord> = {
  name: "work",
  columns: [
    "id",
    "environment_id",
    "session_id",
    "state",
    "metadata",
    "created_at",
    "acknowledged_at",
    "started_at",
    "latest_heartbeat_at",
    "stop_requested_at",
    "stopped_at",
    "hand_out",
    "delivered_at",
    "delivered_to",
    "holder",
    "former_holder",
    "available_at",
    "attempts",
    "deadline_at",
    "sweep_at",
    "heartbeat_floor",
    "beat_replaced",
    "beat_key",
    "beat_ttl_seconds",
    "beat_stopping",
    "acked_through",
    "processed_through",
  ],
  values: (work) => [
    work.id,
    work.environmentId,
    work.sessionId,
    work.state,
    writeMetadata(work.metadata),
    work.createdAt,
    work.acknowledgedAt,
    work.startedAt,
    work.latestHeartbeatAt,
    work.stopRequestedAt,
    work.stoppedAt,
    work.handOut,
    work.deliveredAt,
    work.deliveredTo,
    work.holder,
    work.formerHolder,
    work.availableAt,
    work.attempts,
    work.deadlineAt,
    work.sweepAt,
    work.heartbeatFloor,
    work.beat?.replaced ?? null,
    work.beat?.idempotencyKey ?? null,
    work.beat?.ttlSeconds ?? null,
    work.beat === null ? null : Number(work.beat.stopping),
    work.ackedThrough,
    work.processedThrough,
  ],
  record: (row) => ({
    id: row.id as string,
    environmentId: row.environment_id as string,
    sessionId: row.session_id as string,
    state: row.state as WorkState,
    metadata: readMetadata(row.metadata as string),
    createdAt: row.created_at as number,
    acknowledgedAt: row.acknowledged_at as number | null,
    startedAt: row.started_at as number | null,
    latestHeartbeatAt: row.latest_heartbeat_at as number | null,
    stopRequestedAt: row.stop_requested_at as number | null,
    stoppedAt: row.stopped_at as number | null,
    handOut: row.hand_out as number,
    deliveredAt: row.delivered_at as number | null,
    deliveredTo: row.delivered_to as string | null,
    holder: row.holder as string | null,
    formerHolder: row.former_holder as string | null,
    availableAt: row.available_at as number | null,
    attempts: row.attempts as number,
    deadlineAt: row.deadline_at as number | null,
    sweepAt: row.sweep_at as number | null,
    heartbeatFloor: row.heartbeat_floor as number,
    beat:
      row.beat_ttl_seconds === null
        ? null
        : {
            replaced: row.beat_replaced as number | null,
            idempotencyKey: row.beat_key as string | null,
            ttlSeconds: row.beat_ttl_seconds as number,
            stopping: row.beat_stopping === 1,
          },
    ackedThrough: row.acked_through as string | null,
    processedThrough: row.processed_through as string | null,
  }),
};

export const SESSION: Table<SessionRecord> = {
  name: "session",
  columns: [
    "id",
    "environment_id",
    "agent",
    "title",
    "metadata",
    "status",
    "live_work_id",
    "last_event_id",
    "last_input_id",
    "last_agent_event_id",
    "processed_through",
    "cancelled_through",
    "active_micros",
    "active_since",
    "archived_at",
    "created_at",
    "updated_at",
    "deleted_at",
  ],
  values: (session) => [
    session.id,
    session.environmentId,
    session.agent === null ? null : JSON.stringify(session.agent),
    session.title === null ? null : writeText(session.title),
    writeMetadata(session.metadata),
    session.status,
    session.liveWorkId,
    session.lastEventId,
    session.lastInputId,
    session.lastAgentEventId,
    session.processedThrough,
    session.cancelledThrough,
    session.activeMicros,
    session.activeSince,
    session.archivedAt,
    session.createdAt,
    session.updatedAt,
    session.deletedAt,
  ],
  record: (row) => ({
    id: row.id as string,
    environmentId: row.environment_id as string,
    agent: row.agent === null ? null : JSON.parse(row.agent as string),
    title: row.title === null ? null : readText(row.title as string),
    metadata: readMetadata(row.metadata as string),
    status: row.status as SessionStatus,
    liveWorkId: row.live_work_id as string | null,
    lastEventId: row.last_event_id as string | null,
    lastInputId: row.last_input_id as string | null,
    lastAgentEventId: row.last_agent_event_id as string | null,
    processedThrough: row.processed_through as string | null,
    cancelledThrough: row.cancelled_through as string | null,
    activeMicros: row.active_micros as number,
    activeSince: row.active_since as number | null,
    archivedAt: row.archived_at as number | null,
    createdAt: row.created_at as number,
    updatedAt: row.updated_at as number,
    deletedAt: row.deleted_at as number | null,
  }),
};

export const ENVIRONMENT: Table<EnvironmentRecord> = {
  name: "environment",
  columns: [
    "id",
    "name",
    "description",
    "config",
    "self_hosted",
    "max_attempts",
    "drain_seconds",
    "start_seconds",
    "metadata",
    "archived_at",
    "created_at",
    "updated_at",
    "deleted_at",
  ],
  values: (environment) => [
    environment.id,
    writeText(environment.name),
    writeText(environment.description),
    JSON.stringify(environment.config),
    Number(environment.selfHosted),
    environment.policy.maxAttempts,
    environment.policy.drainSeconds,
    environment.policy.startSeconds,
    writeMetadata(environment.metadata),
    environment.archivedAt,
    environment.createdAt,
    environment.updatedAt,
    environment.deletedAt,
  ],
  record: (row) => ({
    id: row.id as string,
    name: readText(row.name as string),
    description: readText(row.description as string),
    config: JSON.parse(row.config as string) as JsonObject,
    selfHosted: row.self_hosted === 1,
    policy: {
      maxAttempts: row.max_attempts as number,
      drainSeconds: row.drain_seconds as number,
      startSeconds: row.start_seconds as number,
    },
    metadata: readMetadata(row.metadata as string),
    archivedAt: row.archived_at as number | null,
    createdAt: row.created_at as number,
    updatedAt: row.updated_at as number,
    deletedAt: row.deleted_at as number | null,
  }),
};

export const AGENT_VERSION: Table<AgentVersionRecord> = {
  name: "agent_version",
  columns: ["id", "version", "fields", "metadata", "created_at", "updated_at"],
  values: (agent) => [
    agent.id,
    agent.version,
    JSON.stringify(agent.fields),
    writeMetadata(agent.metadata),
    agent.createdAt,
    agent.updatedAt,
  ],
  record: (row) => ({
    id: row.id as string,
    version: row.version as number,
    fields: JSON.parse(row.fields as string) as JsonObject,
    metadata: readMetadata(row.metadata as string),
    createdAt: row.created_at as number,
    updatedAt: row.updated_at as number,
  }),
};

export const AGENT: Table<AgentRecord> = {
  name: "agent",
  columns: [...AGENT_VERSION.columns, "archived_at", "deleted_at"],
  values: (agent) => [...AGENT_VERSION.values(agent), agent.archivedAt, agent.deletedAt],
  record: (row) => ({
    ...AGENT_VERSION.record(row),
    archivedAt: row.archived_at as number | null,
    deletedAt: row.deleted_at as number | null,
  }),
};

export const TOKEN: Table<TokenRecord> = {
  name: "token",
  columns: ["id", "name", "role", "environment_id", "hash", "created_at", "expires_at", "revoked_at", "last_used_at"],
  values: (token) => [
    token.id,
    writeText(token.name),
    token.role,
    token.environmentId,
    token.hash,
    token.createdAt,
    token.expiresAt,
    token.revokedAt,
    token.lastUsedAt,
  ],
  record: (row) => ({
    id: row.id as string,
    name: readText(row.name as string),
    role: row.role as TokenRole,
    environmentId: row.environment_id as string | null,
    hash: row.hash as string,
    createdAt: row.created_at as number,
    expiresAt: row.expires_at as number | null,
    revokedAt: row.revoked_at as number | null,
    lastUsedAt: row.last_used_at as number | null,
  }),
};

export const EVENT: Table<EventRecord> = {
  name: "event",
  columns: ["id", "session_id", "type", "payload", "created_at", "processed_at"],
  values: (event) => [
    event.id,
    event.sessionId,
    event.type,
    JSON.stringify(event.payload),
    event.createdAt,
    event.processedAt,
  ],
  record: (row) => ({
    id: row.id as string,
    sessionId: row.session_id as string,
    type: row.type as string,
    payload: JSON.parse(row.payload as string) as { readonly [key: string]: Json },
    createdAt: row.created_at as number,
    processedAt: row.processed_at as number | null,
  }),
};
