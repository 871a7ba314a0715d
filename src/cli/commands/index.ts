import type { AnyCommand } from "../spec.ts";
import * as agent from "./agent.ts";
import { completion } from "./completion.ts";
import { demo } from "./demo.ts";
import { dev } from "./dev.ts";
import { doctor } from "./doctor.ts";
import * as env from "./env.ts";
import { sessionEvents } from "./events.ts";
import { ids } from "./ids.ts";
import { runPrompt } from "./run.ts";
import { serve } from "./serve.ts";
import * as session from "./session.ts";
import { watchSession } from "./session-watch.ts";
import { exportStore, importStore, migrateStore } from "./store.ts";
import * as token from "./token.ts";
import * as work from "./work.ts";
import { watchWork } from "./work-watch.ts";
import { worker } from "./worker.ts";
import { workerAttach } from "./worker-attach.ts";

/** Every command, in the order of help. */
export const COMMANDS: readonly AnyCommand[] = [
  dev,
  demo,
  serve,
  worker,
  workerAttach,
  runPrompt,
  session.createSession,
  session.sendMessage,
  session.getSession,
  session.listSessions,
  watchSession,
  sessionEvents,
  session.cancelSession,
  session.archiveSession,
  session.deleteSession,
  agent.createAgent,
  agent.updateAgent,
  agent.listAgents,
  agent.getAgent,
  agent.archiveAgent,
  agent.deleteAgent,
  env.createEnvironment,
  env.updateEnvironment,
  env.listEnvironments,
  env.getEnvironment,
  env.archiveEnvironment,
  env.deleteEnvironment,
  watchWork,
  work.listWork,
  work.getWork,
  work.stopWork,
  work.releaseWork,
  work.workStats,
  token.createToken,
  token.listTokens,
  token.revokeToken,
  migrateStore,
  exportStore,
  importStore,
  doctor,
  completion,
  ids,
];
