/** What callers sent, as commands take it. */
import type { z } from "zod";

import type { EnvironmentConfig } from "../core/commands/environments.ts";
import type { AgentReference } from "../core/commands/sessions.ts";
import { eventKind } from "../core/event-types.ts";
import type { PageRequest } from "../core/page.ts";
import type { JsonObject } from "../core/records.ts";
import type { NewEvent } from "../core/turn.ts";
import type { createSessionBody, EnvironmentConfigBody } from "./bodies.ts";
import { LIMITS } from "./limits.ts";

type CreateSession = z.output<typeof createSessionBody>;

/** Keys of an event that only the server writes; what a caller sends under them is dropped. */
const SERVER_KEYS: ReadonlySet<string> = new Set(["id", "type", "created_at", "processed_at"]);

/** @param needsAgent overrides what the type says: initial events always give the session something to do */
export function acceptEvent(event: { readonly type: string }, needsAgent?: boolean): NewEvent {
  const payload = Object.fromEntries(Object.entries(event).filter(([key]) => !SERVER_KEYS.has(key)));
  return {
    type: event.type,
    payload: payload as JsonObject,
    needsAgent: needsAgent ?? eventKind(event.type)?.needsAgent === true,
  };
}

export function acceptConfig(config: EnvironmentConfigBody): EnvironmentConfig {
  const queue = config.type === "self_hosted" ? config.queue : undefined;
  return {
    config: config as JsonObject,
    selfHosted: config.type === "self_hosted",
    policy: {
      maxAttempts: queue?.max_attempts ?? LIMITS.queue.maxAttempts.default,
      drainSeconds: queue?.drain_seconds ?? LIMITS.queue.drainSeconds.default,
      startSeconds: queue?.start_seconds ?? LIMITS.queue.startSeconds.default,
    },
  };
}

/** Fields that were sent, without those that were left out. */
export function acceptAgentFields(fields: Readonly<Record<string, unknown>>): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as JsonObject;
}

export function acceptAgentReference(agent: CreateSession["agent"]): AgentReference | null {
  if (agent === undefined || agent === null) return null;
  if (typeof agent === "string") return { agentId: agent, version: null };
  return { agentId: agent.id, version: agent.version ?? null };
}

export interface CursorQuery {
  readonly limit?: number | undefined;
  readonly page?: string | undefined;
  readonly after_id?: string | undefined;
  readonly before_id?: string | undefined;
}

export const CURSORS = ["page", "after_id", "before_id"] as const;

export function acceptPage(query: CursorQuery, order: PageRequest["order"]): PageRequest {
  return {
    limit: query.limit ?? LIMITS.page.default,
    order,
    after: query.page ?? query.after_id,
    before: query.before_id,
  };
}
