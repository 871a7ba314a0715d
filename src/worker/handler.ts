import type { CapstanClient } from "../client/client.ts";
import type { OperationBody } from "../contract/operations.ts";
import type { Agent, Session, SessionEvent, Work } from "../contract/shapes.ts";

/**
 * Why a handler is told to end early.
 * - `lease_lost`: another worker may own the item by now; nothing that the handler does counts any more
 * - `stop_requested`: somebody asked the session to stop
 * - `timeout`: the turn took longer than `maxTurnSeconds`
 * - `shutdown`: this worker ends; what is not answered goes back to the queue
 */
export type AbortReason = "lease_lost" | "stop_requested" | "timeout" | "shutdown";

/** The reason of a handler's `signal`. */
export class TurnAborted extends Error {
  readonly reason: AbortReason;

  constructor(reason: AbortReason, message: string) {
    super(message);
    this.name = "TurnAborted";
    this.reason = reason;
  }
}

/** An `AbortSignal` whose reason, once it is aborted, is a {@link TurnAborted}. */
export interface TurnSignal extends AbortSignal {
  readonly reason: TurnAborted;
}

export type NewSessionEvent = OperationBody<"sendEvents">["events"][number];

/** The agent of a session as it was when the session was created. */
export type AgentSnapshot = Omit<Agent, "archived_at" | "created_at" | "updated_at">;

/**
 * What users sent to the session and nobody has dealt with yet, oldest first, and then what they send while the handler
 * waits for it. Ends when nothing came for `maxIdleSeconds`, when the handler's `signal` is aborted, and when the worker
 * needs the place or is told to end.
 *
 * An event counts as dealt with when the handler asks for the next one, or returns. What it never asked for keeps the
 * session going with a new item. There is one input: a second loop goes on where the first one ended.
 */
export interface SessionInput extends AsyncIterable<SessionEvent> {
  /**
   * Takes all that the worker holds at once, without waiting for more: maybe nothing. Of a long backlog it holds up to
   * 1,000 events or 32 MB, the oldest ones; the rest comes when the handler asks for more, or with the next item.
   */
  takeAll(): readonly SessionEvent[];
}

/** What a handler gets: everything about one session for as long as this worker holds it. */
export interface HandlerContext {
  readonly session: Session;
  /** `null` for a session without an agent. */
  readonly agent: AgentSnapshot | null;
  readonly input: SessionInput;
  /**
   * Adds an `agent.message` with this text.
   *
   * @throws as `send` does
   */
  say(text: string): Promise<SessionEvent>;
  /**
   * Adds `agent.*`, `span.*`, `user.tool_result` or `session.error` events to the session, in the order of the calls.
   * Survives a server that is away for a while. Rejects when the server refuses an event, or the lease is lost.
   */
  send(events: readonly NewSessionEvent[]): Promise<readonly SessionEvent[]>;
  /**
   * Shows what is being done, as a `span.progress` event. At most one a second is sent; of those that come faster, the
   * latest one counts. Never fails and need not be awaited.
   */
  progress(text: string): void;
  /** Absolute path of a folder that belongs to this session and is kept between its turns on this machine. */
  readonly workspace: string;
  /** Aborted when the handler has to end early: finish quickly and return. */
  readonly signal: TurnSignal;
  /** Aborted when the time to finish is over as well: whatever still runs must be killed at once. */
  readonly forced: TurnSignal;
  /**
   * When `signal` will be aborted with `timeout`; `undefined` without `maxTurnSeconds`. Every event that is taken from
   * the input begins a new turn and moves it, so read it from the context when it is needed.
   */
  readonly deadline: Date | undefined;
  readonly work: Work;
  /** A client that acts for this hand-out: its item, and its session's events. */
  readonly client: CapstanClient;
  /** The bearer token of this hand-out, for a process that acts in the handler's place. Worthless once that is over. */
  readonly workToken: string;
}

/**
 * Runs a session for as long as this worker holds it. Returning, or the end of the promise that it returns, ends its
 * turn; throwing, or rejecting, ends it with a `session.error`.
 */
export type Handler = (context: HandlerContext) => unknown;

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

/** The text of an event's text blocks; empty for an event without any. */
export function textOf(event: Readonly<Record<string, unknown>>): string {
  const blocks = Array.isArray(event.content) ? (event.content as readonly { type?: unknown; text?: unknown }[]) : [];
  return blocks
    .filter(({ type, text }) => type === "text" && typeof text === "string")
    .map(({ text }) => text)
    .join("\n");
}
