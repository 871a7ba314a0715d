import type { FastifyReply } from "fastify";
import type { ErrorBody } from "../contract/shapes.ts";
import { FAULTS, type Fault } from "../core/faults.ts";

const JSON_TYPE = "application/json; charset=utf-8";
/** After how many seconds a 429 or 503 may be repeated, where the fault does not say. */
const RETRY_AFTER_SECONDS = 1;

export function sendJson(reply: FastifyReply, status: number, body: unknown): void {
  reply.code(status).header("content-type", JSON_TYPE).send(JSON.stringify(body));
}

export function sendFault(reply: FastifyReply, requestId: string, fault: Fault, workApi = false): void {
  const { status } = FAULTS[fault.kind];
  if (status === 429 || status === 503)
    reply.header("retry-after", String(fault.retryAfterSeconds ?? RETRY_AFTER_SECONDS));
  if (fault.mayHaveHappened || (workApi && (status === 409 || status === 412))) reply.header("x-should-retry", "false");
  sendJson(reply, status, errorBody(requestId, fault));
}

export function errorBody(requestId: string, fault: Fault): ErrorBody {
  const { type } = FAULTS[fault.kind];
  const param = fault.param === undefined ? {} : { param: fault.param };
  return { type: "error", request_id: requestId, error: { type, message: fault.message, ...param } };
}
