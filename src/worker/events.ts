export type EventLevel = "debug" | "info" | "warn" | "error";

export const WORKER_EVENT_TYPES = [
  "mode_changed",
  "setup_started",
  "setup_finished",
  "setup_failed",
  "poll_failed",
  "poll_recovered",
  "delivery_dropped",
  "heartbeat_failed",
  "session_started",
  "session_finished",
  "call_failed",
  "handler_stuck",
  "handler_astray",
] as const;
export type WorkerEventType = (typeof WORKER_EVENT_TYPES)[number];

/** Something that an operator may want to read. */
export interface WorkerEvent {
  readonly level: EventLevel;
  readonly type: WorkerEventType;
  /** One sentence. It never holds a credential. */
  readonly message: string;
  readonly workId?: string | undefined;
  readonly sessionId?: string | undefined;
  /** Plain facts beside the message. */
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
}

export type Report = (event: WorkerEvent) => void;
