import { decide } from "../decide.ts";
import { done, type Outcome, refuse } from "../faults.ts";
import { isHandOutLive } from "../lease.ts";
import { type MetadataPatch, mergeMetadata } from "../metadata.ts";
import type { EventRecord, JsonObject, Metadata, SessionRecord } from "../records.ts";
import { followWork, type NewEvent, newSession, receive, terminate } from "../turn.ts";
import type { Unit } from "../unit.ts";
import {
  define,
  findAgent,
  findEnvironment,
  findOpenSession,
  findSession,
  handOutOver,
  notSelfHosted,
} from "./command.ts";

export interface AgentReference {
  readonly agentId: string;
  /** `null` for the newest. */
  readonly version: number | null;
}

export interface CreateSessionInput {
  readonly environmentId: string;
  readonly agent: AgentReference | null;
  readonly title: string | null;
  readonly metadata: Metadata;
  readonly initialEvents: readonly NewEvent[];
}

export const createSession = define<CreateSessionInput, SessionRecord>({
  needs(input, needs) {
    needs.environments.add(input.environmentId);
    needs.joined.add(input.environmentId);
    if (input.agent === null) return;
    needs.agents.add(input.agent.agentId);
    const { agentId, version } = input.agent;
    if (version !== null) needs.agentVersions.push({ agentId, version });
  },
  apply(unit, input) {
    const found = findEnvironment(unit, input.environmentId);
    if (found.refused) return found;
    const agent = input.agent === null ? done(null) : snapshot(unit, input.agent);
    if (agent.refused) return agent;
    if (!found.value.selfHosted) return notSelfHosted(input.environmentId);
    if (found.value.archivedAt !== null) {
      return refuse("conflict", `Environment ${input.environmentId} is archived and takes no new session.`);
    }
    const { environmentId, title, metadata, initialEvents } = input;
    const fields = { environmentId, agent: agent.value, title, metadata };
    const session = newSession(unit.newId("session"), fields, unit.now);
    const [filled] = receive(unit, session, initialEvents);
    unit.putSession(filled, true);
    return done(filled);
  },
});

/** The agent as it is at this moment: later versions do not reach the session. */
function snapshot(unit: Unit, { agentId, version }: AgentReference): Outcome<JsonObject> {
  const agent = findAgent(unit, agentId);
  if (agent.refused) return agent;
  const chosen = version === null ? agent.value : unit.agentVersion(agentId, version);
  if (chosen === undefined) return refuse("not_found", `Agent ${agentId} has no version ${version}.`);
  if (agent.value.archivedAt !== null) {
    return refuse("conflict", `Agent ${agentId} is archived and takes no new session.`);
  }
  return done({ id: agentId, version: chosen.version, ...chosen.fields, metadata: chosen.metadata });
}

export interface SessionTarget {
  readonly sessionId: string;
}

/** The session and, with it, its live item. */
function sessionNeeds(target: SessionTarget, needs: Parameters<typeof createSession.needs>[1]): void {
  needs.sessions.add(target.sessionId);
}

export interface UpdateSessionInput extends SessionTarget {
  readonly title?: string | null | undefined;
  readonly metadata?: MetadataPatch | undefined;
}

export const updateSession = define<UpdateSessionInput, SessionRecord>({
  needs: sessionNeeds,
  apply(unit, input) {
    const found = findOpenSession(unit, input.sessionId);
    if (found.refused) return found;
    const metadata = mergeMetadata(found.value.metadata, input.metadata);
    if (metadata.refused) return metadata;
    const title = input.title === undefined ? found.value.title : input.title;
    const next = { ...found.value, title, metadata: metadata.value, updatedAt: unit.now };
    unit.putSession(next);
    return done(next);
  },
});

function stopLiveItem(unit: Unit, session: SessionRecord, force: boolean): Outcome<boolean> {
  const before = session.liveWorkId === null ? undefined : unit.work(session.liveWorkId);
  if (before === undefined || (before.state === "stopping" && !force)) return done(false);
  const environment = unit.environment(session.environmentId);
  if (environment === undefined) throw new Error(`${session.id} belongs to no environment`);
  const decided = decide(before, { type: "stop", force, workerId: null }, unit.now, environment.policy);
  if (decided.refused) return decided;
  unit.putWork(decided.value.item);
  if (decided.value.item.state === "stopped") followWork(unit, before, decided.value.item);
  return done(true);
}

export const archiveSession = define<SessionTarget, SessionRecord>({
  needs: sessionNeeds,
  apply(unit, input) {
    const found = findOpenSession(unit, input.sessionId);
    if (found.refused) return found;
    const archived = { ...found.value, archivedAt: unit.now, updatedAt: unit.now };
    unit.putSession(archived);
    const stopped = stopLiveItem(unit, archived, true);
    if (stopped.refused) return stopped;
    const next = terminate(unit, unit.session(input.sessionId) ?? archived);
    unit.putSession(next);
    return done(next);
  },
});

export const deleteSession = define<SessionTarget, string>({
  needs: sessionNeeds,
  apply(unit, input) {
    const found = findSession(unit, input.sessionId);
    if (found.refused) return found;
    const deleted = { ...found.value, deletedAt: unit.now, updatedAt: unit.now };
    unit.putSession(deleted);
    const stopped = stopLiveItem(unit, deleted, true);
    return stopped.refused ? stopped : done(input.sessionId);
  },
});

export interface CancelResult {
  readonly session: SessionRecord;
  /** False when there was nothing to cancel. */
  readonly canceling: boolean;
}

export const cancelSession = define<SessionTarget, CancelResult>({
  needs: sessionNeeds,
  apply(unit, input) {
    const found = findOpenSession(unit, input.sessionId);
    if (found.refused) return found;
    if (found.value.liveWorkId === null) return done({ session: found.value, canceling: false });
    unit.putSession({ ...found.value, cancelledThrough: found.value.lastEventId, updatedAt: unit.now });
    const stopped = stopLiveItem(unit, found.value, false);
    if (stopped.refused) return stopped;
    return done({ session: unit.session(input.sessionId) ?? found.value, canceling: true });
  },
});

/** On whose behalf events are sent. */
export type EventSender =
  | { readonly role: "user" }
  | {
      readonly role: "worker";
      readonly workerId: string | null;
      /** The hand-out that the caller proved to act for. */
      readonly handOut?: { readonly workId: string; readonly number: number } | undefined;
    };

export interface SendEventsInput extends SessionTarget {
  readonly events: readonly NewEvent[];
  readonly sender: EventSender;
}

export const sendEvents = define<SendEventsInput, readonly EventRecord[]>({
  needs(input, needs) {
    sessionNeeds(input, needs);
    if (input.sender.role === "worker" && input.sender.handOut !== undefined) {
      needs.works.add(input.sender.handOut.workId);
    }
    for (const event of input.events) {
      if (event.type === "user.tool_result") {
        needs.toolResults.push({ sessionId: input.sessionId, toolUseId: String(event.payload.tool_use_id) });
      }
    }
  },
  apply(unit, input) {
    const session = findSession(unit, input.sessionId);
    if (session.refused) return session;
    if (input.sender.role === "worker") {
      const { handOut } = input.sender;
      if (handOut !== undefined) {
        const item = unit.work(handOut.workId);
        const live = item?.sessionId === input.sessionId && isHandOutLive(item, handOut.number);
        if (!live) return handOutOver(handOut.workId);
      } else {
        const stranger = notHolder(unit, session.value, input.sender.workerId);
        if (stranger !== undefined) return refuse("forbidden", stranger);
      }
    }
    const found = findOpenSession(unit, input.sessionId);
    if (found.refused) return found;
    const twice = answeredTwice(unit, input);
    if (twice !== undefined) return twice;
    const [next, records] = receive(unit, found.value, input.events);
    unit.putSession(next);
    return done(records);
  },
});

/** The writing rule for workers: a sentence when this one does not hold the session's live item. */
function notHolder(unit: Unit, session: SessionRecord, workerId: string | null): string | undefined {
  const item = session.liveWorkId === null ? undefined : unit.work(session.liveWorkId);
  if (item === undefined) return `Session ${session.id} has no live work item, so no worker may write to it.`;
  if (workerId === null) return undefined;
  if (item.state === "queued")
    return `Work item ${item.id} of session ${session.id} is held by no worker: acknowledge it first.`;
  if (item.holder !== null && item.holder !== workerId) {
    return `Work item ${item.id} of session ${session.id} is held by another worker. Drop the session.`;
  }
  return undefined;
}

/** The first `user.tool_result` of a tool use wins; a second one is refused, also within the same call. */
function answeredTwice(unit: Unit, input: SendEventsInput) {
  const seen = new Set<string>();
  for (const [index, event] of input.events.entries()) {
    if (event.type !== "user.tool_result") continue;
    const id = String(event.payload.tool_use_id);
    if (seen.has(id) || unit.hasToolResult(input.sessionId, id)) {
      return refuse("invalid_request", `Tool use ${id} has been answered already.`, `events[${index}].tool_use_id`);
    }
    seen.add(id);
  }
  return undefined;
}
