import type { Micros } from "./time.ts";
import type { WorkState } from "./transitions.ts";

export type Metadata = Readonly<Record<string, string>>;
/** JSON as a user gave it, kept and given back as it is. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** What an environment rules about the items in its queue. */
export interface QueuePolicy {
  /** Acknowledged hand-outs that may lapse before the item is given up; 0 for no limit. */
  readonly maxAttempts: number;
  /** How long after a stop request a worker may go on extending its lease. */
  readonly drainSeconds: number;
  /** How long after the ack the first heartbeat may take. */
  readonly startSeconds: number;
}

export interface EnvironmentRecord {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** The `config` object as it was sent. */
  readonly config: JsonObject;
  readonly selfHosted: boolean;
  readonly policy: QueuePolicy;
  readonly metadata: Metadata;
  readonly archivedAt: Micros | null;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
  /** Set by delete: invisible from then on, its rows are purged in bounded batches. */
  readonly deletedAt: Micros | null;
}

export type SessionStatus = "idle" | "running" | "rescheduling" | "terminated";

export interface SessionRecord {
  readonly id: string;
  readonly environmentId: string;
  /** The agent as it was when the session was created. */
  readonly agent: JsonObject | null;
  readonly title: string | null;
  readonly metadata: Metadata;
  readonly status: SessionStatus;
  /** The one item of this session that is not `stopped`. */
  readonly liveWorkId: string | null;
  /** The newest event of the session; ids of events ascend from here. */
  readonly lastEventId: string | null;
  /** The newest event that needs the agent. */
  readonly lastInputId: string | null;
  /** The newest `agent.*` event. */
  readonly lastAgentEventId: string | null;
  /** Input up to and including this event has been dealt with. */
  readonly processedThrough: string | null;
  /** Everything up to this event was cancelled, so that it never brings the session back. */
  readonly cancelledThrough: string | null;
  /** Time spent in `running`, without the stretch that began at `activeSince`. */
  readonly activeMicros: number;
  readonly activeSince: Micros | null;
  readonly archivedAt: Micros | null;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
  readonly deletedAt: Micros | null;
}

/** The last accepted heartbeat of a hand-out: what a declared retry of it is answered from. */
export interface Beat {
  /** The value that it replaced; `null` for `NO_HEARTBEAT`. */
  readonly replaced: Micros | null;
  readonly idempotencyKey: string | null;
  /** Seconds that the lease was extended by; 0 when the drain limit was over. */
  readonly ttlSeconds: number;
  /** Whether a stop had been requested by then. */
  readonly stopping: boolean;
}

export interface WorkRecord {
  readonly id: string;
  readonly environmentId: string;
  readonly sessionId: string;
  readonly state: WorkState;
  readonly metadata: Metadata;
  readonly createdAt: Micros;
  readonly acknowledgedAt: Micros | null;
  readonly startedAt: Micros | null;
  readonly latestHeartbeatAt: Micros | null;
  readonly stopRequestedAt: Micros | null;
  readonly stoppedAt: Micros | null;
  /** Number of the current hand-out; every delivery begins a new one, and so does an ack without a delivery. */
  readonly handOut: number;
  /** Latest delivery of a queued item and the `Worker-ID` that it recorded; cleared when the item is queued anew. */
  readonly deliveredAt: Micros | null;
  readonly deliveredTo: string | null;
  /** The worker that owns the current hand-out, once a call of it named one. */
  readonly holder: string | null;
  /** The last named worker whose hand-out is over: from then on, a stop under a name needs a hand-out of its own. */
  readonly formerHolder: string | null;
  /** Not to be handed out before this instant (a release with a delay). */
  readonly availableAt: Micros | null;
  /** Acknowledged hand-outs that lapsed. */
  readonly attempts: number;
  /** When the current lease (or start, or drain) runs out; `null` in `queued` and `stopped`. */
  readonly deadlineAt: Micros | null;
  /**
   * When a sweeper has to look at this item: never later than `deadlineAt`, but not moved by every heartbeat, so that a
   * heartbeat changes no indexed column.
   */
  readonly sweepAt: Micros | null;
  /** Greatest heartbeat ever issued for this item: the next one is greater, whatever the clock says. */
  readonly heartbeatFloor: Micros;
  readonly beat: Beat | null;
  /** The session's newest event at the ack: what the worker was handed. */
  readonly ackedThrough: string | null;
  /** The last event that the holder said it has dealt with, when it asked to stop. */
  readonly processedThrough: string | null;
}

export interface EventRecord {
  readonly id: string;
  readonly sessionId: string;
  readonly type: string;
  /** The event without `id`, `type`, `created_at` and `processed_at`. */
  readonly payload: JsonObject;
  readonly createdAt: Micros;
  /** When the input was dealt with; `null` until then and for events that are no input. */
  readonly processedAt: Micros | null;
}

/** One version of an agent. A session keeps the version that it was created with, so no version ever changes. */
export interface AgentVersionRecord {
  readonly id: string;
  readonly version: number;
  /** What the caller defined: name, model, system and so on, under the names that it used. */
  readonly fields: JsonObject;
  readonly metadata: Metadata;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
}

/** An agent as it is now: its newest version, and whether it may still be used. */
export interface AgentRecord extends AgentVersionRecord {
  readonly archivedAt: Micros | null;
  readonly deletedAt: Micros | null;
}

export const TOKEN_ROLES = ["admin", "client", "worker"] as const;
export type TokenRole = (typeof TOKEN_ROLES)[number];

export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly role: TokenRole;
  /** Set exactly for role `worker`. */
  readonly environmentId: string | null;
  /** SHA-256 of the secret, hex. The secret itself is nowhere. */
  readonly hash: string;
  readonly createdAt: Micros;
  readonly expiresAt: Micros | null;
  readonly revokedAt: Micros | null;
  readonly lastUsedAt: Micros | null;
}
