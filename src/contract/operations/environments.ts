import { z } from "zod";
import { createEnvironmentBody, updateEnvironmentBody } from "../bodies.ts";
import { LIMITS } from "../limits.ts";
import { booleanParam } from "../parameters.ts";
import { deletedShape, environmentShape, listOf } from "../shapes.ts";
import { operation } from "./operation.ts";
import { cursors, limit, pageLimit } from "./parts.ts";

const ENVIRONMENT = "/environments/{environment_id}";

export const environmentsOperations = {
  createEnvironment: operation({
    method: "POST",
    path: "/environments",
    summary: "Create an environment",
    roles: [],
    body: createEnvironmentBody,
    response: environmentShape,
    errors: ["invalid_request"],
  }),
  listEnvironments: operation({
    method: "GET",
    path: "/environments",
    summary: "List environments, newest first",
    roles: ["client"],
    query: z.object({
      limit: limit(pageLimit, LIMITS.page.default),
      ...cursors("environment"),
      include_archived: booleanParam("Archived ones too. Default false."),
    }),
    response: listOf(environmentShape),
    errors: ["invalid_request"],
  }),
  getEnvironment: operation({
    method: "GET",
    path: ENVIRONMENT,
    summary: "Get one environment",
    roles: ["client", "worker"],
    response: environmentShape,
    errors: ["not_found"],
  }),
  updateEnvironment: operation({
    method: "POST",
    path: ENVIRONMENT,
    summary: "Change an environment; what is left out stays",
    roles: [],
    body: updateEnvironmentBody,
    response: environmentShape,
    repeatable: true,
    errors: ["invalid_request", "not_found"],
  }),
  archiveEnvironment: operation({
    method: "POST",
    path: `${ENVIRONMENT}/archive`,
    summary: "Archive an environment: it takes no new session",
    roles: [],
    response: environmentShape,
    errors: ["not_found", "conflict"],
  }),
  deleteEnvironment: operation({
    method: "DELETE",
    path: ENVIRONMENT,
    summary: "Delete an environment that no session refers to",
    roles: [],
    response: deletedShape("environment_deleted"),
    errors: ["not_found", "work_conflict"],
  }),
} as const;
