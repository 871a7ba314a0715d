import type { CapstanClient } from "../client/client.ts";
import type { OperationBody } from "../contract/operations.ts";
import type { Session, SessionEvent, Work } from "../contract/shapes.ts";

/**
 * Why a turn is cut short.
 * - `lease_lost`: another worker may own the item by now; nothing that the turn does counts any more
 * - `stop_requested`: somebody asked the session to stop
 * - `shutdown`: this worker ends; the item goes back to the queue
 */
export type AbortReason = "lease_lost" | "stop_requested" | "shutdown";

/** The reason of a turn's `signal`. */
export class TurnAborted extends Error {
  readonly reason: AbortReason;

  constructor(reason: AbortReason, message: string) {
    super(message);
    this.name = "TurnAborted";
    this.reason = reason;
  }
}

export type NewSessionEvent = OperationBody<"sendEvents">["events"][number];

/** What a handler gets for one turn of a session. */
export interface Turn {
  readonly work: Work;
  readonly session: Session;
  /** The input that nobody has dealt with yet, oldest first; never empty. */
  readonly events: readonly SessionEvent[];
  /** Absolute path of a folder that belongs to this session and is kept between its turns on this machine. */
  readonly workspace: string;
  /** Aborted with a {@link TurnAborted} when the turn has to end early: finish quickly and return. */
  readonly signal: AbortSignal;
  /** Aborted when the time to finish is over as well: whatever still runs must be killed at once. */
  readonly forced: AbortSignal;
  /**
   * Adds `agent.*`, `span.*`, `user.tool_result` or `session.error` events to the session, in the order of the calls.
   * Survives a server that is away for a while. Rejects when the server refuses an event, or the turn has lost its lease.
   */
  send(events: readonly NewSessionEvent[]): Promise<readonly SessionEvent[]>;
  readonly client: CapstanClient;
}

/** Runs one turn. Returning ends it; throwing ends it with a `session.error`. */
export type Handler = (turn: Turn) => Promise<void> | void;

/** A failure whose type and facts the session is told. Any other error becomes a `handler_failed` with its message. */
export class TurnFailed extends Error {
  readonly type: string;
  readonly facts: Readonly<Record<string, unknown>>;

  /** @param facts plain JSON that is put beside the message */
  constructor(type: string, message: string, facts: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = "TurnFailed";
    this.type = type;
    this.facts = facts;
  }
}

/** How the session is told of a failed turn. */
export function failureEvent(failure: unknown): NewSessionEvent {
  const error =
    failure instanceof TurnFailed
      ? { ...failure.facts, type: failure.type, message: failure.message }
      : { type: "handler_failed", message: failure instanceof Error ? failure.message : String(failure) };
  return { type: "session.error", error };
}
