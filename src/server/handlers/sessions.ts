import { acceptAgentReference, acceptEvent, acceptPage } from "../../contract/accept.ts";
import { presentPage, presentSession } from "../../contract/present.ts";
import { eventKind } from "../../core/event-types.ts";
import { done, refuse } from "../../core/faults.ts";
import type { SessionStatus } from "../../core/records.ts";
import { answer, type Handler, sessionOf } from "./handler.ts";

const createSession: Handler<"createSession"> = async ({ body, services: { store } }) => {
  const foreign = body.initial_events?.findIndex(({ type }) => eventKind(type)?.sender === "worker") ?? -1;
  if (foreign >= 0) {
    const what = `initial_events[${foreign}], of type ${body.initial_events?.[foreign]?.type},`;
    return refuse("forbidden", `${what} comes from the worker that holds a session, and a new session has none.`);
  }
  const outcome = await store.execute("createSession", {
    environmentId: body.environment_id,
    agent: acceptAgentReference(body.agent),
    title: body.title ?? null,
    metadata: body.metadata ?? {},
    initialEvents: (body.initial_events ?? []).map((event) => acceptEvent(event, true)),
  });
  return answer(outcome, (session) => presentSession(session, session.createdAt));
};

const listSessions: Handler<"listSessions"> = async ({ query, principal, services: { store } }) => {
  const bound = principal.environmentId;
  if (bound !== null && query.environment_id !== undefined && query.environment_id !== bound) {
    return refuse("forbidden", `This worker token is bound to environment ${bound}.`);
  }
  const page = await store.listSessions(acceptPage(query, "descending"), {
    includeArchived: query.include_archived ?? false,
    statuses: query.statuses as SessionStatus[] | undefined,
    environmentId: bound ?? query.environment_id,
    agentId: query.agent_id,
  });
  const now = await store.now();
  return done(presentPage(page, (session) => presentSession(session, now)));
};

const getSession: Handler<"getSession"> = async ({ path, services: { store } }) => {
  const now = await store.now();
  return answer(await sessionOf(store, path.session_id), (session) => presentSession(session, now));
};

const updateSession: Handler<"updateSession"> = async ({ path, body, services: { store } }) => {
  const outcome = await store.execute("updateSession", { sessionId: path.session_id, ...body });
  return answer(outcome, (session) => presentSession(session, session.updatedAt));
};

const deleteSession: Handler<"deleteSession"> = async ({ path, services: { store } }) => {
  const outcome = await store.execute("deleteSession", { sessionId: path.session_id });
  return answer(outcome, (id) => ({ id, type: "session_deleted" as const }));
};

const archiveSession: Handler<"archiveSession"> = async ({ path, services: { store } }) => {
  const outcome = await store.execute("archiveSession", { sessionId: path.session_id });
  return answer(outcome, (session) => presentSession(session, session.updatedAt));
};

const cancelSession: Handler<"cancelSession"> = async ({ path, services: { store } }) => {
  const outcome = await store.execute("cancelSession", { sessionId: path.session_id });
  // A session that has nothing to cancel is not updated.
  const now = await store.now();
  return answer(outcome, ({ session, canceling }) => presentSession(session, now, canceling));
};

export const sessionHandlers = {
  createSession,
  listSessions,
  getSession,
  updateSession,
  deleteSession,
  archiveSession,
  cancelSession,
};
