export type { OperationName, OperationResponse } from "../contract/operations.ts";
export type {
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
} from "../contract/shapes.ts";
export { type CallOptions, CapstanClient, type ClientOptions } from "./client.ts";
export { ApiError, ConnectionError } from "./errors.ts";
export type { CallOperationName, ListedRecord, ListOperationName, OperationInput } from "./input.ts";
export { BEFORE_ALL_EVENTS, type StreamInput, type StreamOptions } from "./stream.ts";
