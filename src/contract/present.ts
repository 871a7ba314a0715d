/** Records as the wire shows them. The only place that turns our names into the wire's. */
import type { HeartbeatAnswer } from "../core/commands/work.ts";
import type { Page } from "../core/page.ts";
import type {
  AgentRecord,
  AgentVersionRecord,
  EnvironmentRecord,
  EventRecord,
  SessionRecord,
  TokenRecord,
  WorkRecord,
} from "../core/records.ts";
import { formatTime, MICROS_PER_SECOND, type Micros } from "../core/time.ts";
import type {
  Agent,
  CreatedToken,
  Environment,
  List,
  Session,
  SessionEvent,
  Token,
  Work,
  WorkHeartbeat,
  WorkQueueStats,
} from "./shapes.ts";

const stamp = (at: Micros | null): string | null => (at === null ? null : formatTime(at));

export const presentWork = (work: WorkRecord): Work => ({
  id: work.id,
  type: "work",
  environment_id: work.environmentId,
  data: { type: "session", id: work.sessionId },
  state: work.state,
  created_at: formatTime(work.createdAt),
  acknowledged_at: stamp(work.acknowledgedAt),
  started_at: stamp(work.startedAt),
  latest_heartbeat_at: stamp(work.latestHeartbeatAt),
  stop_requested_at: stamp(work.stopRequestedAt),
  stopped_at: stamp(work.stoppedAt),
  metadata: work.metadata,
});

export const presentHeartbeat = ({ at, beat }: HeartbeatAnswer): WorkHeartbeat => ({
  type: "work_heartbeat",
  last_heartbeat: formatTime(at),
  lease_extended: beat.ttlSeconds > 0,
  state: beat.stopping ? "stopping" : "active",
  ttl_seconds: beat.ttlSeconds,
});

export const presentStats = (
  stats: { depth: number; pending: number; oldestQueuedAt: Micros | null },
  workersPolling: number,
): WorkQueueStats => ({
  type: "work_queue_stats",
  depth: stats.depth,
  pending: stats.pending,
  oldest_queued_at: stamp(stats.oldestQueuedAt),
  workers_polling: workersPolling,
});

export const presentEnvironment = (environment: EnvironmentRecord): Environment => ({
  id: environment.id,
  type: "environment",
  name: environment.name,
  description: environment.description,
  config: environment.config,
  metadata: environment.metadata,
  archived_at: stamp(environment.archivedAt),
  created_at: formatTime(environment.createdAt),
  updated_at: formatTime(environment.updatedAt),
});

/** @param now the store's clock: a running session's seconds go on while it is read */
export function presentSession(session: SessionRecord, now: Micros, canceling = false): Session {
  const running = session.activeSince === null ? 0 : Math.max(0, now - session.activeSince);
  const end = session.archivedAt ?? Math.max(now, session.createdAt);
  return {
    id: session.id,
    type: "session",
    agent: session.agent === null ? null : { type: "agent", ...AGENT_DEFAULTS, metadata: {}, ...session.agent },
    environment_id: session.environmentId,
    title: session.title,
    status: canceling ? "canceling" : session.status,
    metadata: session.metadata,
    resources: [],
    vault_ids: [],
    stats: {
      active_seconds: seconds(session.activeMicros + running),
      duration_seconds: seconds(end - session.createdAt),
    },
    usage: {},
    archived_at: stamp(session.archivedAt),
    created_at: formatTime(session.createdAt),
    updated_at: formatTime(session.updatedAt),
  };
}

const seconds = (micros: Micros): number => Math.round(micros / 1_000) / (MICROS_PER_SECOND / 1_000);

export const presentEvent = (event: EventRecord): SessionEvent => ({
  ...event.payload,
  id: event.id,
  type: event.type,
  created_at: formatTime(event.createdAt),
  processed_at: stamp(event.processedAt),
});

/** What an agent has where its caller said nothing. */
const AGENT_DEFAULTS = { system: null, description: null, tools: [], mcp_servers: [], skills: [] };

export const presentAgent = (agent: AgentVersionRecord & Partial<AgentRecord>): Agent => ({
  id: agent.id,
  type: "agent",
  version: agent.version,
  ...AGENT_DEFAULTS,
  ...(agent.fields as Pick<Agent, "name" | "model">),
  metadata: agent.metadata,
  archived_at: stamp(agent.archivedAt ?? null),
  created_at: formatTime(agent.createdAt),
  updated_at: formatTime(agent.updatedAt),
});

export const presentToken = (token: TokenRecord): Token => ({
  id: token.id,
  type: "token",
  name: token.name,
  role: token.role,
  environment_id: token.environmentId,
  created_at: formatTime(token.createdAt),
  expires_at: stamp(token.expiresAt),
  revoked_at: stamp(token.revokedAt),
  last_used_at: stamp(token.lastUsedAt),
});

export const presentCreatedToken = (token: TokenRecord, secret: string): CreatedToken => ({
  id: token.id,
  type: "token",
  name: token.name,
  role: token.role,
  environment_id: token.environmentId,
  token: secret,
  created_at: formatTime(token.createdAt),
  expires_at: stamp(token.expiresAt),
});

/** @param cursorOf where a record stands in its list */
export function presentPage<R extends { readonly id: string }, T>(
  page: Page<R>,
  present: (record: R) => T,
  cursorOf: (record: R) => string = ({ id }) => id,
): List<T> {
  const [firstId = null] = page.data.slice(0, 1).map(cursorOf);
  const [lastId = null] = page.data.slice(-1).map(cursorOf);
  return {
    data: page.data.map(present),
    first_id: firstId,
    last_id: lastId,
    has_more: page.hasMore,
    next_page: page.hasMore ? lastId : null,
  };
}
