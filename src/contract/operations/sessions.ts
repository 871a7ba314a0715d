import { z } from "zod";
import { createSessionBody, updateSessionBody } from "../bodies.ts";
import { LIMITS } from "../limits.ts";
import { booleanParam, idParam, listParam } from "../parameters.ts";
import { deletedShape, listOf, sessionShape } from "../shapes.ts";
import { operation } from "./operation.ts";
import { cursors, limit, pageLimit } from "./parts.ts";

const SESSION = "/sessions/{session_id}";

export const sessionsOperations = {
  createSession: operation({
    method: "POST",
    path: "/sessions",
    summary: "Create a session, and queue it when it has something to do",
    roles: ["client"],
    body: createSessionBody,
    response: sessionShape,
    errors: ["invalid_request", "not_found", "conflict"],
  }),
  listSessions: operation({
    method: "GET",
    path: "/sessions",
    summary: "List sessions, newest first",
    roles: ["client", "worker"],
    query: z.object({
      limit: limit(pageLimit, LIMITS.page.default),
      ...cursors("session"),
      statuses: listParam(
        (text) => ["idle", "running", "rescheduling", "terminated"].includes(text),
        "idle, running, rescheduling or terminated",
        "Only sessions with one of these statuses.",
      ),
      agent_id: idParam("agent", "Only sessions of this agent."),
      environment_id: idParam("environment", "Only sessions of this environment. Extension."),
      include_archived: booleanParam("Archived ones too. Default false."),
    }),
    response: listOf(sessionShape),
    errors: ["invalid_request"],
  }),
  getSession: operation({
    method: "GET",
    path: SESSION,
    summary: "Get one session",
    roles: ["client", "worker", "hand_out"],
    response: sessionShape,
    errors: ["not_found"],
  }),
  updateSession: operation({
    method: "POST",
    path: SESSION,
    summary: "Change the title or the metadata of a session",
    roles: ["client"],
    body: updateSessionBody,
    response: sessionShape,
    repeatable: true,
    errors: ["invalid_request", "not_found", "conflict"],
  }),
  deleteSession: operation({
    method: "DELETE",
    path: SESSION,
    summary: "Delete a session; its live item is stopped",
    roles: ["client"],
    response: deletedShape("session_deleted"),
    errors: ["not_found"],
  }),
  archiveSession: operation({
    method: "POST",
    path: `${SESSION}/archive`,
    summary: "End a session for good; its live item is stopped",
    roles: ["client"],
    response: sessionShape,
    errors: ["not_found", "conflict"],
  }),
  cancelSession: operation({
    method: "POST",
    path: `${SESSION}/cancel`,
    summary: "Ask the session's worker to stop",
    roles: ["client"],
    response: sessionShape,
    repeatable: true,
    errors: ["not_found", "conflict"],
  }),
} as const;
