/**
 * What each kind of event means to the queue.
 * - `sender` `user`: written by clients; `worker`: by whoever holds the session's live item; `server`: by us alone
 * - `needsAgent`: queues a work item when the session has none
 */
export interface EventKind {
  readonly sender: "user" | "worker" | "server";
  readonly needsAgent: boolean;
}

const fromUser = (needsAgent: boolean): EventKind => ({ sender: "user", needsAgent });
const fromWorker: EventKind = { sender: "worker", needsAgent: false };
const fromServer: EventKind = { sender: "server", needsAgent: false };

export const EVENT_KINDS: Readonly<Record<string, EventKind>> = {
  "user.message": fromUser(true),
  "user.tool_confirmation": fromUser(true),
  "user.custom_tool_result": fromUser(true),
  "user.define_outcome": fromUser(true),
  "user.interrupt": fromUser(false),
  "system.message": fromUser(false),
  "user.tool_result": fromWorker,
  "session.error": fromWorker,
  "session.status_running": fromServer,
  "session.status_rescheduled": fromServer,
  "session.status_idle": fromServer,
  "session.status_terminated": fromServer,
};

/** Whatever a worker calls its events, within reason: they are filtered by type, and shown. */
const WORKER_EVENT = /^(agent|span)\.[A-Za-z0-9][\w.-]{0,127}$/;

/** The kind of an event type, or `undefined` for a type that does not exist. */
export function eventKind(type: string): EventKind | undefined {
  if (WORKER_EVENT.test(type)) return fromWorker;
  return Object.hasOwn(EVENT_KINDS, type) ? EVENT_KINDS[type] : undefined;
}

export const isAgentEvent = (type: string): boolean => type.startsWith("agent.");

/** The types that a user may send, for messages and documentation. */
export const USER_EVENT_TYPES = Object.keys(EVENT_KINDS).filter((type) => EVENT_KINDS[type]?.sender === "user");

/** The types that an agent deals with: they get a `processed_at` when it has. */
export const INPUT_EVENT_TYPES = USER_EVENT_TYPES;
