/** Everything for programs that run a whole Capstan of their own. Clients and workers have smaller entries. */
export { CapstanClient } from "./client/index.ts";
export { LOG_LEVELS, type LogLevel, SERVER_LIMITS, type ServerLimits, type ServerOptions } from "./server/options.ts";
export { type RunningServer, startServer } from "./server/start.ts";
export { StoreRefused } from "./storage/store.ts";
export { VERSION } from "./version.ts";
export { createCommandHandler, createWorker, type Worker, type WorkerOptions } from "./worker/index.ts";
