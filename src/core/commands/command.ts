import { done, type Outcome, refuse } from "../faults.ts";
import type { AgentRecord, EnvironmentRecord, SessionRecord } from "../records.ts";
import type { Needs, Unit } from "../unit.ts";

/**
 * One write, as a store runs it: what it has to see, and what it does with that. `apply` checks everything before it
 * puts anything; whatever it puts is committed together with the rest of its batch before anyone gets an answer.
 */
export interface CommandDefinition<Input, Output> {
  needs(input: Input, needs: Needs): void;
  apply(unit: Unit, input: Input): Outcome<Output>;
}

export const define = <Input, Output>(definition: CommandDefinition<Input, Output>) => definition;

export function findEnvironment(unit: Unit, id: string): Outcome<EnvironmentRecord> {
  const environment = unit.environment(id);
  if (environment === undefined || environment.deletedAt !== null) {
    return refuse("not_found", `Environment ${id} does not exist.`);
  }
  return done(environment);
}

/** The Work API's own first check: the environment exists and has a queue. */
export function findQueue(unit: Unit, environmentId: string): Outcome<EnvironmentRecord> {
  const found = findEnvironment(unit, environmentId);
  if (found.refused) return found;
  return found.value.selfHosted ? found : notSelfHosted(environmentId);
}

export const notSelfHosted = (environmentId: string) =>
  refuse(
    "invalid_request",
    `Environment ${environmentId} is of type cloud, which this server does not run: use one of type self_hosted.`,
    "environment_id",
  );

export const noSuchWork = (workId: string, environmentId: string) =>
  refuse("not_found", `Work item ${workId} does not exist in environment ${environmentId}.`);

export const handOutOver = (workId: string) =>
  refuse(
    "unauthenticated",
    `This token was good for one hand-out of work item ${workId}, which is over. Drop the item.`,
  );

export const noSuchSession = (sessionId: string) => refuse("not_found", `Session ${sessionId} does not exist.`);

export function findSession(unit: Unit, id: string): Outcome<SessionRecord> {
  const session = unit.session(id);
  return session === undefined || session.deletedAt !== null ? noSuchSession(id) : done(session);
}

export const noSuchAgent = (agentId: string) => refuse("not_found", `Agent ${agentId} does not exist.`);

export function findAgent(unit: Unit, id: string): Outcome<AgentRecord> {
  const agent = unit.agent(id);
  return agent === undefined || agent.deletedAt !== null ? noSuchAgent(id) : done(agent);
}

/** A session that still takes input and changes. */
export function findOpenSession(unit: Unit, id: string): Outcome<SessionRecord> {
  const found = findSession(unit, id);
  if (found.refused || found.value.archivedAt === null) return found;
  return refuse("conflict", `Session ${id} is archived: it can be read and deleted, nothing else. Create a new one.`);
}
