import { done, type Outcome, refuse } from "../faults.ts";
import { type MetadataPatch, mergeMetadata } from "../metadata.ts";
import type { AgentRecord, JsonObject, Metadata } from "../records.ts";
import type { Unit } from "../unit.ts";
import { define, findAgent } from "./command.ts";

export interface CreateAgentInput {
  readonly fields: JsonObject;
  readonly metadata: Metadata;
}

export const createAgent = define<CreateAgentInput, AgentRecord>({
  needs: () => undefined,
  apply(unit, input) {
    const record: AgentRecord = {
      id: unit.newId("agent"),
      version: 1,
      ...input,
      createdAt: unit.now,
      updatedAt: unit.now,
      archivedAt: null,
      deletedAt: null,
    };
    unit.putAgent(record, true);
    return done(record);
  },
});

export interface UpdateAgentInput {
  readonly agentId: string;
  /** The version that the caller has seen: a newer one is not overwritten unread. */
  readonly version: number;
  /** Fields that are left out stay. */
  readonly fields: JsonObject;
  readonly metadata?: MetadataPatch | undefined;
}

const agentNeeds = (input: { readonly agentId: string }, needs: Parameters<typeof createAgent.needs>[1]): void =>
  void needs.agents.add(input.agentId);

function findUsable(unit: Unit, agentId: string): Outcome<AgentRecord> {
  const found = findAgent(unit, agentId);
  if (found.refused || found.value.archivedAt === null) return found;
  return refuse("conflict", `Agent ${agentId} is archived: it can be read and deleted, nothing else.`);
}

export const updateAgent = define<UpdateAgentInput, AgentRecord>({
  needs: agentNeeds,
  apply(unit, input) {
    const found = findUsable(unit, input.agentId);
    if (found.refused) return found;
    const current = found.value;
    if (input.version !== current.version) {
      const message = `Agent ${current.id} is at version ${current.version}, not ${input.version}. Read it again, then repeat your change with that version.`;
      return refuse("conflict", message);
    }
    const metadata = mergeMetadata(current.metadata, input.metadata);
    if (metadata.refused) return metadata;
    const next: AgentRecord = {
      ...current,
      version: current.version + 1,
      fields: { ...current.fields, ...input.fields },
      metadata: metadata.value,
      updatedAt: unit.now,
    };
    unit.putAgent(next);
    return done(next);
  },
});

export const archiveAgent = define<{ readonly agentId: string }, AgentRecord>({
  needs: agentNeeds,
  apply(unit, input) {
    const found = findUsable(unit, input.agentId);
    if (found.refused) return found;
    const next = { ...found.value, archivedAt: unit.now, updatedAt: unit.now };
    unit.putAgent(next);
    return done(next);
  },
});

/** Sessions keep their snapshot, so an agent can go while sessions of it run. */
export const deleteAgent = define<{ readonly agentId: string }, string>({
  needs: agentNeeds,
  apply(unit, input) {
    const found = findAgent(unit, input.agentId);
    if (found.refused) return found;
    unit.putAgent({ ...found.value, deletedAt: unit.now, updatedAt: unit.now });
    return done(input.agentId);
  },
});
