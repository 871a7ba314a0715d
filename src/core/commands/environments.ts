import { done, refuse } from "../faults.ts";
import { type MetadataPatch, mergeMetadata } from "../metadata.ts";
import type { EnvironmentRecord, JsonObject, Metadata, QueuePolicy } from "../records.ts";
import { define, findEnvironment } from "./command.ts";

export interface EnvironmentConfig {
  readonly config: JsonObject;
  readonly selfHosted: boolean;
  readonly policy: QueuePolicy;
}

export interface CreateEnvironmentInput extends EnvironmentConfig {
  readonly name: string;
  readonly description: string;
  readonly metadata: Metadata;
}

export const createEnvironment = define<CreateEnvironmentInput, EnvironmentRecord>({
  needs: () => undefined,
  apply(unit, input) {
    const record: EnvironmentRecord = {
      id: unit.newId("environment"),
      ...input,
      archivedAt: null,
      createdAt: unit.now,
      updatedAt: unit.now,
      deletedAt: null,
    };
    unit.putEnvironment(record, true);
    return done(record);
  },
});

export interface UpdateEnvironmentInput {
  readonly environmentId: string;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly config?: EnvironmentConfig | undefined;
  readonly metadata?: MetadataPatch | undefined;
}

export const updateEnvironment = define<UpdateEnvironmentInput, EnvironmentRecord>({
  needs: (input, needs) => void needs.environments.add(input.environmentId),
  apply(unit, input) {
    const found = findEnvironment(unit, input.environmentId);
    if (found.refused) return found;
    const current = found.value;
    if (input.config !== undefined && input.config.selfHosted !== current.selfHosted) {
      return refuse("invalid_request", "config.type cannot change: create another environment instead.", "config.type");
    }
    const metadata = mergeMetadata(current.metadata, input.metadata);
    if (metadata.refused) return metadata;
    const next: EnvironmentRecord = {
      ...current,
      ...(input.config ?? {}),
      name: input.name ?? current.name,
      description: input.description ?? current.description,
      metadata: metadata.value,
      updatedAt: unit.now,
    };
    unit.putEnvironment(next);
    return done(next);
  },
});

export const archiveEnvironment = define<{ readonly environmentId: string }, EnvironmentRecord>({
  needs: (input, needs) => void needs.environments.add(input.environmentId),
  apply(unit, input) {
    const found = findEnvironment(unit, input.environmentId);
    if (found.refused) return found;
    if (found.value.archivedAt !== null) {
      return refuse("conflict", `Environment ${input.environmentId} is archived already.`);
    }
    const next = { ...found.value, archivedAt: unit.now, updatedAt: unit.now };
    unit.putEnvironment(next);
    return done(next);
  },
});

export const deleteEnvironment = define<{ readonly environmentId: string }, string>({
  needs(input, needs) {
    needs.environments.add(input.environmentId);
    needs.sessionCounts.add(input.environmentId);
  },
  apply(unit, input) {
    const found = findEnvironment(unit, input.environmentId);
    if (found.refused) return found;
    if (unit.hasSessions(input.environmentId)) {
      return refuse(
        "work_conflict",
        `Environment ${input.environmentId} still has sessions. Delete those first, or archive the environment instead.`,
      );
    }
    unit.putEnvironment({ ...found.value, deletedAt: unit.now, updatedAt: unit.now });
    return done(input.environmentId);
  },
});
