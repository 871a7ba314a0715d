import { z } from "zod";
import { createTokenBody } from "../bodies.ts";
import { LIMITS } from "../limits.ts";
import { createdTokenShape, deletedShape, listOf, tokenShape } from "../shapes.ts";
import { operation } from "./operation.ts";
import { cursors, limit, pageLimit } from "./parts.ts";

export const tokensOperations = {
  createToken: operation({
    method: "POST",
    path: "/tokens",
    summary: "Make a token; the answer is the only place that shows its secret",
    roles: [],
    body: createTokenBody,
    response: createdTokenShape,
    errors: ["invalid_request", "not_found"],
    extension: true,
  }),
  listTokens: operation({
    method: "GET",
    path: "/tokens",
    summary: "List tokens, newest first",
    roles: [],
    query: z.object({ limit: limit(pageLimit, LIMITS.page.default), ...cursors("token") }),
    response: listOf(tokenShape),
    errors: ["invalid_request"],
    extension: true,
  }),
  revokeToken: operation({
    method: "DELETE",
    path: "/tokens/{token_id}",
    summary: "Revoke a token",
    roles: [],
    response: deletedShape("token_deleted"),
    errors: ["not_found"],
    extension: true,
  }),
} as const;
