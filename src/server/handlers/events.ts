import { acceptEvent, acceptPage } from "../../contract/accept.ts";
import type { CallerRole } from "../../contract/operations.ts";
import { presentEvent, presentPage } from "../../contract/present.ts";
import type { EventSender } from "../../core/commands/sessions.ts";
import { eventKind } from "../../core/event-types.ts";
import { done, type Refused, refuse } from "../../core/faults.ts";
import type { SessionRecord } from "../../core/records.ts";
import type { Principal } from "../tokens.ts";
import { answer, type Handler, type Services, StreamAnswer, sessionOf } from "./handler.ts";

const sendEvents: Handler<"sendEvents"> = async ({ path, body, headers, principal, services: { store } }) => {
  const senders = new Set(body.events.map((event) => eventKind(event.type)?.sender));
  const wrong = wrongSender(senders, principal.role);
  if (wrong !== undefined) return wrong;
  const { handOut } = principal;
  const sender: EventSender = senders.has("worker")
    ? {
        role: "worker",
        workerId: headers["worker-id"] ?? null,
        handOut: handOut && { workId: handOut.workId, number: handOut.number },
      }
    : { role: "user" };
  const events = body.events.map((event) => acceptEvent(event));
  const outcome = await store.execute("sendEvents", { sessionId: path.session_id, events, sender });
  return answer(outcome, (records) => ({ data: records.map(presentEvent) }));
};

function wrongSender(senders: ReadonlySet<string | undefined>, role: CallerRole): Refused | undefined {
  if ((role === "worker" || role === "hand_out") && senders.has("user")) {
    return refuse("forbidden", "A worker sends user.tool_result, session.error, agent.* and span.* events, no others.");
  }
  if (role === "client" && senders.has("worker")) {
    return refuse("forbidden", "Events of the agent come from the worker that holds the session, with a worker token.");
  }
  return undefined;
}

const listEvents: Handler<"listEvents"> = async ({ path, query, headers, principal, services }) => {
  const { store } = services;
  const session = await sessionOf(store, path.session_id);
  if (session.refused) return session;
  if (headers.accept === true) {
    return follow(services, session.value, principal, headers["last-event-id"] ?? query.after_id);
  }
  const order = query.order === "desc" ? "descending" : "ascending";
  const page = await store.listEvents(path.session_id, acceptPage(query, order), { types: query.types });
  return done(presentPage(page, presentEvent));
};

const streamEvents: Handler<"streamEvents"> = async ({ path, query, headers, principal, services }) => {
  const session = await sessionOf(services.store, path.session_id);
  if (session.refused) return session;
  return follow(services, session.value, principal, headers["last-event-id"] ?? query.after_id);
};

function follow({ events }: Services, session: SessionRecord, principal: Principal, after: string | undefined) {
  if (events.full) {
    return refuse("rate_limited", "This server has as many open streams as it may have. List the events instead.");
  }
  const from = after ?? session.lastEventId;
  return done(
    new StreamAnswer((response, requestId) =>
      events.subscribe({ sessionId: session.id, from, principal, response, requestId }),
    ),
  );
}

export const eventHandlers = { sendEvents, listEvents, streamEvents };
