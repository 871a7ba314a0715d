import type { FastifyRequest } from "fastify";
import { type Refused, refuse } from "../core/faults.ts";
import { type Authenticator, bearerToken } from "./tokens.ts";

/**
 * The 401, before anything else of a request is looked at; otherwise its principal is set. A promise only where the
 * store has to be asked, which is seldom.
 */
export function authenticate(
  tokens: Authenticator,
  request: FastifyRequest,
): undefined | Refused | Promise<Refused | undefined> {
  const secret = bearerToken(request.headers.authorization);
  if (secret === undefined) return unauthenticated(request);
  request.principal = tokens.fromMemory(secret);
  if (request.principal !== undefined) return undefined;
  return tokens.fromStore(secret).then((found) => {
    request.principal = found;
    return found === undefined ? unauthenticated(request) : undefined;
  });
}

function unauthenticated(request: FastifyRequest): Refused {
  const header = request.headers.authorization;
  if (header === undefined) {
    const hint = request.headers["x-api-key"] === undefined ? "" : " An x-api-key is not accepted.";
    return refuse("unauthenticated", `Send a token as "Authorization: Bearer …".${hint}`);
  }
  return invalidToken();
}

export const invalidToken = (): Refused =>
  refuse(
    "unauthenticated",
    "This token is not valid: malformed, unknown, expired or revoked. Ask an admin for a new one.",
  );
