import { z } from "zod";
import { DEFAULT_RECLAIM_MS, TTL_SECONDS } from "../../core/lease.ts";
import { WORK_STATES } from "../../core/transitions.ts";
import { releaseWorkBody, stopWorkBody, updateWorkBody } from "../bodies.ts";
import { LIMITS } from "../limits.ts";
import { choiceParam, expectedHeartbeat, integerParam, nameHeader } from "../parameters.ts";
import { heartbeatShape, listOf, statsShape, workShape } from "../shapes.ts";
import { operation } from "./operation.ts";
import { cursors, limit, pageLimit, workerId } from "./parts.ts";

const WORK = "/environments/{environment_id}/work";
const ITEM = `${WORK}/{work_id}`;

export const workOperations = {
  pollWork: operation({
    method: "GET",
    path: `${WORK}/poll`,
    summary: "Hand out the oldest item that waits, or null",
    roles: ["worker"],
    headers: z.object({
      ...workerId,
      prefer: z
        .unknown()
        .transform(preferredWait)
        .meta({
          type: "string",
          description: `\`wait=N\`: wait up to N seconds (${LIMITS.preferWaitSeconds.min}-${LIMITS.preferWaitSeconds.max}) for work. Extension.`,
        })
        .optional(),
    }),
    query: z.object({
      block_ms: integerParam(LIMITS.blockMs, "Wait up to this many milliseconds for work. Left out: do not wait."),
      reclaim_older_than_ms: integerParam(
        { min: 0 },
        `Hand out again what was delivered, but not acknowledged, at least this long ago. Default ${DEFAULT_RECLAIM_MS}.`,
      ),
    }),
    response: workShape.nullable(),
    errors: ["invalid_request", "not_found", "rate_limited"],
  }),
  listWork: operation({
    method: "GET",
    path: WORK,
    summary: "List the items of an environment, oldest first",
    roles: ["client", "worker"],
    query: z.object({
      limit: limit({ ...pageLimit, capped: true }, LIMITS.page.default),
      ...cursors("work"),
      state: choiceParam(WORK_STATES, "Only items in this state. Extension."),
    }),
    response: listOf(workShape),
    errors: ["invalid_request", "not_found"],
  }),
  workStats: operation({
    method: "GET",
    path: `${WORK}/stats`,
    summary: "Count what waits and who polls",
    roles: ["client", "worker"],
    response: statsShape,
    errors: ["invalid_request", "not_found"],
  }),
  getWork: operation({
    method: "GET",
    path: ITEM,
    summary: "Get one item",
    roles: ["client", "worker", "hand_out"],
    response: workShape,
    errors: ["invalid_request", "not_found"],
  }),
  updateWork: operation({
    method: "POST",
    path: ITEM,
    summary: "Merge metadata into an item",
    roles: ["worker", "hand_out"],
    body: updateWorkBody,
    response: workShape,
    repeatable: true,
    errors: ["invalid_request", "not_found"],
  }),
  ackWork: operation({
    method: "POST",
    path: `${ITEM}/ack`,
    summary: "Take a delivered item: its lease begins",
    roles: ["worker", "hand_out"],
    headers: z.object(workerId),
    response: workShape,
    repeatable: true,
    errors: ["invalid_request", "not_found", "work_conflict"],
  }),
  heartbeatWork: operation({
    method: "POST",
    path: `${ITEM}/heartbeat`,
    summary: "Extend the lease of an item",
    roles: ["worker", "hand_out"],
    headers: z.object({
      ...workerId,
      "idempotency-key": nameHeader("Idempotency-Key", "The same for every try of one heartbeat. Extension."),
      "x-stainless-retry-count": z
        .unknown()
        .transform((value) => typeof value === "string" && /^[1-9]\d{0,5}$/.test(value))
        .meta({ type: "integer", description: "1 or more declares a repeated call. Extension." })
        .optional(),
    }),
    query: z.object({
      expected_last_heartbeat: expectedHeartbeat,
      desired_ttl_seconds: integerParam(
        { min: 1 },
        `Seconds until the lease ends; brought into ${TTL_SECONDS.min}-${TTL_SECONDS.max}. Default ${TTL_SECONDS.default}.`,
      ),
    }),
    response: heartbeatShape,
    repeatable: true,
    errors: ["invalid_request", "not_found", "work_conflict", "precondition_failed"],
  }),
  stopWork: operation({
    method: "POST",
    path: `${ITEM}/stop`,
    summary: "Ask an item to stop, confirm that it has, or force it",
    roles: ["client", "worker", "hand_out"],
    headers: z.object(workerId),
    body: stopWorkBody,
    response: workShape,
    repeatable: (input) => input.force === true,
    errors: ["invalid_request", "not_found", "work_conflict"],
  }),
  releaseWork: operation({
    method: "POST",
    path: `${ITEM}/release`,
    summary: "Give an item back, so that another worker takes it",
    roles: ["worker", "hand_out"],
    headers: z.object(workerId),
    body: releaseWorkBody,
    response: workShape,
    errors: ["invalid_request", "not_found", "work_conflict"],
    extension: true,
  }),
} as const;

/** `Prefer: wait=N` (RFC 7240): a wish above the bound is brought down to it, anything else is no wish. */
function preferredWait(value: unknown): number | undefined {
  const match = typeof value === "string" ? /(?:^|[,;])\s*wait\s*=\s*"?(\d+)"?\s*(?:$|[,;])/i.exec(value) : null;
  const seconds = Number(match?.[1] ?? 0);
  return seconds < LIMITS.preferWaitSeconds.min ? undefined : Math.min(seconds, LIMITS.preferWaitSeconds.max);
}
