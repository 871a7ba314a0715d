import type { EnvironmentRecord, JsonObject } from "../../core/records.ts";
import { readText, writeText } from "../text.ts";
import { readMetadata, type Table, writeMetadata } from "./table.ts";

export const ENVIRONMENT: Table<EnvironmentRecord> = {
  name: "environment",
  columns: {
    id: "text",
    name: "text",
    description: "text",
    config: "json",
    self_hosted: "boolean",
    max_attempts: "integer",
    drain_seconds: "integer",
    start_seconds: "integer",
    metadata: "json",
    archived_at: "integer",
    created_at: "integer",
    updated_at: "integer",
    deleted_at: "integer",
  },
  values: (environment) => [
    environment.id,
    writeText(environment.name),
    writeText(environment.description),
    JSON.stringify(environment.config),
    Number(environment.selfHosted),
    environment.policy.maxAttempts,
    environment.policy.drainSeconds,
    environment.policy.startSeconds,
    writeMetadata(environment.metadata),
    environment.archivedAt,
    environment.createdAt,
    environment.updatedAt,
    environment.deletedAt,
  ],
  record: (row) => ({
    id: row.id as string,
    name: readText(row.name as string),
    description: readText(row.description as string),
    config: JSON.parse(row.config as string) as JsonObject,
    selfHosted: row.self_hosted === 1,
    policy: {
      maxAttempts: row.max_attempts as number,
      drainSeconds: row.drain_seconds as number,
      startSeconds: row.start_seconds as number,
    },
    metadata: readMetadata(row.metadata as string),
    archivedAt: row.archived_at as number | null,
    createdAt: row.created_at as number,
    updatedAt: row.updated_at as number,
    deletedAt: row.deleted_at as number | null,
  }),
};
