export type { Session, SessionEvent, Work } from "../contract/shapes.ts";
export type { CliAdapter, CliReader } from "./adapters/adapter.ts";
export { CLI_ADAPTERS, type CliAdapterName } from "./adapters/index.ts";
export { type Attachment, type AttachOptions, attach } from "./attach.ts";
export { type CliHandlerOptions, createCliHandler } from "./cli-handler.ts";
export { type CommandHandlerOptions, createCommandHandler } from "./command-handler.ts";
export type { EventLevel, WorkerEvent, WorkerEventType } from "./events.ts";
export { createHandOffHandler } from "./hand-off-handler.ts";
export {
  type AbortReason,
  type AgentSnapshot,
  type Handler,
  type HandlerContext,
  type NewSessionEvent,
  type SessionInput,
  TurnAborted,
  TurnFailed,
  type TurnSignal,
  textOf,
} from "./handler.ts";
export type { SessionOutcome } from "./item-end.ts";
export type { WorkerMode } from "./lifecycle.ts";
export type { WorkerOptions } from "./options.ts";
export type { OutputMode } from "./output-events.ts";
export { isVisible } from "./sandbox/bubblewrap.ts";
export type { Confinement, SandboxName } from "./sandbox/index.ts";
export type { ResourceLimits } from "./sandbox/limits.ts";
export { type Protection, probeProtections } from "./sandbox/protections.ts";
export type { SessionPhase } from "./session-run.ts";
export type { SetupOptions } from "./setup-script.ts";
export type { SessionStatus, WorkerStatus } from "./status.ts";
export { type AnswerOptions, answerToolUses } from "./tools/answer.ts";
export { createTools, type ToolResult, type Tools, type ToolsOptions } from "./tools/index.ts";
export type { ToolDefinition } from "./tools/tool.ts";
export { createWorker, type Worker } from "./worker.ts";
