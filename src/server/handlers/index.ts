import { agentHandlers } from "./agents.ts";
import { environmentHandlers } from "./environments.ts";
import { eventHandlers } from "./events.ts";
import type { Handlers } from "./handler.ts";
import { sessionHandlers } from "./sessions.ts";
import { tokenHandlers } from "./tokens.ts";
import { workHandlers } from "./work.ts";

/** One handler for each row of the operations table; the type leaves none out. */
export const HANDLERS: Handlers = {
  ...agentHandlers,
  ...workHandlers,
  ...environmentHandlers,
  ...sessionHandlers,
  ...eventHandlers,
  ...tokenHandlers,
};
