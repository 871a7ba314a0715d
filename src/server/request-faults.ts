import type { FastifyRequest } from "fastify";
import { LIMITS } from "../contract/limits.ts";
import { isRepeatable, type Operation } from "../contract/operations.ts";
import { type Fault, FaultError } from "../core/faults.ts";
import { StoreUnavailable } from "../storage/store.ts";
import type { Logger } from "./log.ts";

/** A client that simply repeated this would make a second session, or send a message twice. */
const NOBODY_KNOWS: Fault = {
  kind: "unavailable",
  message:
    "The database went away before it told whether this was written. Look whether it was before you send it again.",
  mayHaveHappened: true,
};

/** What went wrong, as a fault. Whatever is not known by name is a 500 that tells nothing and is logged in full. */
export function faultOf(error: unknown, request: FastifyRequest, log: Logger): Fault {
  if (error instanceof FaultError) return error.fault;
  if (error instanceof StoreUnavailable) {
    log.warn({ request_id: request.id, err: error }, "store unavailable");
    return { kind: "unavailable", message: "The database cannot be used right now. Try again.", retryAfterSeconds: 1 };
  }
  const { code, statusCode } = error as { code?: string; statusCode?: number };
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return { kind: "invalid_request", message: `The body is larger than ${LIMITS.bodyBytes} bytes.` };
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return { kind: "invalid_request", message: "The request is not well-formed HTTP." };
  }
  log.error({ request_id: request.id, err: error }, "request failed");
  return { kind: "internal", message: `Something broke on our side. The server's log has request ${request.id}.` };
}

/** The same for a call that was under way: one that nobody may repeat without looking says so. */
export function faultOfCall(error: unknown, request: FastifyRequest, log: Logger, operation: Operation): Fault {
  const fault = faultOf(error, request, log);
  if (!(error instanceof StoreUnavailable && error.mayHaveHappened)) return fault;
  return isRepeatable(operation, (request.body ?? {}) as Record<string, unknown>) ? fault : NOBODY_KNOWS;
}
