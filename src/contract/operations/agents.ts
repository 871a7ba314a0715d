import { z } from "zod";
import { createAgentBody, updateAgentBody } from "../bodies.ts";
import { LIMITS } from "../limits.ts";
import { booleanParam, integerParam } from "../parameters.ts";
import { agentShape, deletedShape, listOf } from "../shapes.ts";
import { operation } from "./operation.ts";
import { cursors, limit, pageLimit } from "./parts.ts";

const AGENT = "/agents/{agent_id}";

export const agentsOperations = {
  createAgent: operation({
    method: "POST",
    path: "/agents",
    summary: "Create an agent",
    roles: ["client"],
    body: createAgentBody,
    response: agentShape,
    errors: ["invalid_request"],
  }),
  listAgents: operation({
    method: "GET",
    path: "/agents",
    summary: "List agents, newest first",
    roles: ["client"],
    query: z.object({
      limit: limit(pageLimit, LIMITS.page.default),
      ...cursors("agent"),
      include_archived: booleanParam("Archived ones too. Default false."),
    }),
    response: listOf(agentShape),
    errors: ["invalid_request"],
  }),
  getAgent: operation({
    method: "GET",
    path: AGENT,
    summary: "Get an agent, in its newest version or another",
    roles: ["client"],
    query: z.object({ version: integerParam({ min: 1 }, "The version. Default: the newest.") }),
    response: agentShape,
    errors: ["invalid_request", "not_found"],
  }),
  updateAgent: operation({
    method: "POST",
    path: AGENT,
    summary: "Make the next version of an agent; what is left out stays",
    roles: ["client"],
    body: updateAgentBody,
    response: agentShape,
    errors: ["invalid_request", "not_found", "conflict"],
  }),
  archiveAgent: operation({
    method: "POST",
    path: `${AGENT}/archive`,
    summary: "Archive an agent: it takes no new session",
    roles: ["client"],
    response: agentShape,
    errors: ["not_found", "conflict"],
  }),
  deleteAgent: operation({
    method: "DELETE",
    path: AGENT,
    summary: "Delete an agent; sessions keep their snapshot of it",
    roles: ["client"],
    response: deletedShape("agent_deleted"),
    errors: ["not_found"],
  }),
  listAgentVersions: operation({
    method: "GET",
    path: `${AGENT}/versions`,
    summary: "List the versions of an agent, newest first",
    roles: ["client"],
    query: z.object({
      limit: limit(pageLimit, LIMITS.page.default),
      page: integerParam({ min: 1 }, "A `next_page` of this list: the version to go on below."),
      after_id: integerParam({ min: 1 }, "The versions below this one. The same as `page`."),
      before_id: integerParam({ min: 1 }, "The page of versions that ends right above this one."),
    }),
    response: listOf(agentShape),
    errors: ["invalid_request", "not_found"],
  }),
} as const;
