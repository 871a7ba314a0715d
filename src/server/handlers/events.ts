import { acceptEvent, acceptPage } from "../../contract/accept.ts";
import { presentEvent, presentPage } from "../../contract/present.ts";
import type { EventSender } from "../../core/commands/sessions.ts";
import { eventKind } from "../../core/event-types.ts";
import { done, type Refused, refuse } from "../../core/faults.ts";
import type { TokenRole } from "../../core/records.ts";
import { answer, type Handler, sessionOf } from "./handler.ts";

const sendEvents: Handler<"sendEvents"> = async ({ path, body, headers, principal, services: { store } }) => {
  const senders = new Set(body.events.map((event) => eventKind(event.type)?.sender));
  const wrong = wrongSender(senders, principal.role);
  if (wrong !== undefined) return wrong;
  const sender: EventSender = senders.has("worker")
    ? { role: "worker", workerId: headers["worker-id"] ?? null }
    : { role: "user" };
  const events = body.events.map((event) => acceptEvent(event));
  const outcome = await store.execute("sendEvents", { sessionId: path.session_id, events, sender });
  return answer(outcome, (records) => ({ data: records.map(presentEvent) }));
};

function wrongSender(senders: ReadonlySet<string | undefined>, role: TokenRole): Refused | undefined {
  if (role === "worker" && senders.has("user")) {
    return refuse("forbidden", "A worker sends user.tool_result, session.error, agent.* and span.* events, no others.");
  }
  if (role === "client" && senders.has("worker")) {
    return refuse("forbidden", "Events of the agent come from the worker that holds the session, with a worker token.");
  }
  return undefined;
}

const listEvents: Handler<"listEvents"> = async ({ path, query, services: { store } }) => {
  const session = await sessionOf(store, path.session_id);
  if (session.refused) return session;
  const order = query.order === "desc" ? "descending" : "ascending";
  const page = await store.listEvents(path.session_id, acceptPage(query, order), { types: query.types });
  return done(presentPage(page, presentEvent));
};

export const eventHandlers = { sendEvents, listEvents };
