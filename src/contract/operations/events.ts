import { z } from "zod";
import { eventKind } from "../../core/event-types.ts";
import { sendEventsBody } from "../bodies.ts";
import { LIMITS } from "../limits.ts";
import { choiceParam, idParam, listParam } from "../parameters.ts";
import { eventShape, listOf } from "../shapes.ts";
import { operation } from "./operation.ts";
import { cursors, lastEventId, limit, workerId } from "./parts.ts";

const SESSION = "/sessions/{session_id}";
const NOT_WANTED = /^q=0(?:\.0*)?$/;

/** Whether an Accept header lists the stream's media type, and not with the weight of what is not wanted (RFC 9110, 12.4.2). */
const listsStream = (accept: string): boolean =>
  accept.split(",").some((range) => {
    const [type, ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    return type === "text/event-stream" && !parameters.some((parameter) => NOT_WANTED.test(parameter));
  });

export const eventsOperations = {
  sendEvents: operation({
    method: "POST",
    path: `${SESSION}/events`,
    summary: "Add events to a session: all of them or none",
    roles: ["client", "worker", "hand_out"],
    headers: z.object(workerId),
    body: sendEventsBody,
    response: z.object({ data: z.array(eventShape) }),
    errors: ["invalid_request", "not_found", "conflict"],
  }),
  listEvents: operation({
    method: "GET",
    path: `${SESSION}/events`,
    summary: "List the events of a session, oldest first; with `Accept: text/event-stream`, follow them",
    roles: ["client", "worker", "hand_out"],
    headers: z.object({
      accept: z
        .unknown()
        .transform((value) => listsStream(String(value)))
        .meta({ type: "string" })
        .optional(),
      "last-event-id": lastEventId,
    }),
    query: z.object({
      limit: limit({ min: 1, max: LIMITS.eventsPage.max }, LIMITS.eventsPage.default),
      ...cursors("event"),
      order: choiceParam(["asc", "desc"], "Default asc."),
      types: listParam((text) => eventKind(text) !== undefined, "event types", "Only events of these types."),
    }),
    response: listOf(eventShape),
    errors: ["invalid_request", "not_found", "rate_limited"],
  }),
  streamEvents: operation({
    method: "GET",
    path: `${SESSION}/events/stream`,
    summary: "Follow the events of a session as they happen (server-sent events)",
    roles: ["client", "worker", "hand_out"],
    headers: z.object({
      "last-event-id": lastEventId,
    }),
    query: z.object({ after_id: idParam("event", "The same as `Last-Event-ID`, which wins.") }),
    response: eventShape,
    errors: ["invalid_request", "not_found", "rate_limited"],
    stream: true,
  }),
} as const;
