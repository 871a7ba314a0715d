/** What the server answers, as schemas: the OpenAPI document and the client's types come from here. */
import { z } from "zod";
import { type IdKind, idPattern } from "../core/ids.ts";
import { TOKEN_ROLES } from "../core/records.ts";
import { WORK_STATES } from "../core/transitions.ts";

const id = (kind: IdKind) => z.string().meta({ pattern: idPattern(kind) });
const time = z.string().meta({ format: "date-time", description: "RFC 3339 in UTC with microseconds." });
const metadata = z.record(z.string(), z.string());
const json = z.record(z.string(), z.unknown());

export const workShape = z
  .object({
    id: id("work"),
    type: z.literal("work"),
    environment_id: id("environment"),
    data: z.object({ type: z.literal("session"), id: id("session") }),
    state: z.enum(WORK_STATES),
    created_at: time,
    acknowledged_at: time.nullable(),
    started_at: time.nullable(),
    latest_heartbeat_at: time.nullable(),
    stop_requested_at: time.nullable(),
    stopped_at: time.nullable(),
    metadata,
  })
  .meta({ id: "Work" });

export const heartbeatShape = z
  .object({
    type: z.literal("work_heartbeat"),
    last_heartbeat: time,
    lease_extended: z.boolean(),
    state: z.enum(["active", "stopping"]),
    ttl_seconds: z.int(),
  })
  .meta({ id: "WorkHeartbeat" });

export const statsShape = z
  .object({
    type: z.literal("work_queue_stats"),
    depth: z.int(),
    pending: z.int(),
    oldest_queued_at: time.nullable(),
    workers_polling: z.int(),
  })
  .meta({ id: "WorkQueueStats" });

export const environmentShape = z
  .object({
    id: id("environment"),
    type: z.literal("environment"),
    name: z.string(),
    description: z.string(),
    config: json,
    metadata,
    archived_at: time.nullable(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: "Environment" });

export const sessionShape = z
  .object({
    id: id("session"),
    type: z.literal("session"),
    agent: json.nullable(),
    environment_id: id("environment"),
    title: z.string().nullable(),
    status: z.enum(["idle", "running", "rescheduling", "terminated", "canceling"]).meta({
      description: "`canceling` is only in the answer to cancelSession, and cannot be filtered by.",
    }),
    metadata,
    resources: z.array(z.unknown()),
    vault_ids: z.array(z.string()),
    stats: z.object({ active_seconds: z.number(), duration_seconds: z.number() }),
    usage: json,
    archived_at: time.nullable(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: "Session" });

export const eventShape = z
  .looseObject({
    id: id("event"),
    type: z.string(),
    created_at: time,
    processed_at: time.nullable(),
  })
  .meta({ id: "Event" });

export const agentShape = z
  .object({
    id: id("agent"),
    type: z.literal("agent"),
    version: z.int(),
    name: z.string(),
    model: z.union([z.string(), json]),
    system: z.string().nullable(),
    description: z.string().nullable(),
    tools: z.array(json),
    mcp_servers: z.array(json),
    skills: z.array(json),
    metadata,
    archived_at: time.nullable(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: "Agent" });

export const tokenShape = z
  .object({
    id: id("token"),
    type: z.literal("token"),
    name: z.string(),
    role: z.enum(TOKEN_ROLES),
    environment_id: id("environment").nullable(),
    created_at: time,
    expires_at: time.nullable(),
    revoked_at: time.nullable(),
    last_used_at: time.nullable(),
  })
  .meta({ id: "Token" });

export const createdTokenShape = tokenShape
  .omit({ revoked_at: true, last_used_at: true })
  .extend({ token: z.string().meta({ description: "The secret. It is shown here and nowhere else." }) })
  .meta({ id: "CreatedToken" });

export const listOf = <Shape extends z.ZodType>(shape: Shape) =>
  z.object({
    data: z.array(shape),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
    next_page: z.string().nullable(),
  });

export const deletedShape = <Type extends string>(type: Type) => z.object({ id: z.string(), type: z.literal(type) });

export const errorShape = z
  .object({
    type: z.literal("error"),
    request_id: z.string(),
    error: z.object({ type: z.string(), message: z.string(), param: z.string().optional() }),
  })
  .meta({ id: "Error" });

export type Work = z.output<typeof workShape>;
export type WorkHeartbeat = z.output<typeof heartbeatShape>;
export type WorkQueueStats = z.output<typeof statsShape>;
export type Environment = z.output<typeof environmentShape>;
export type Session = z.output<typeof sessionShape>;
export type SessionEvent = z.output<typeof eventShape>;
export type Agent = z.output<typeof agentShape>;
export type Token = z.output<typeof tokenShape>;
export type CreatedToken = z.output<typeof createdTokenShape>;
export type ErrorBody = z.output<typeof errorShape>;
export interface List<T> {
  data: T[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
  next_page: string | null;
}
