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
export type { StreamInput, StreamOptions } from "./stream.ts";
