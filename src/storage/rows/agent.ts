import type { AgentRecord, AgentVersionRecord, JsonObject } from "../../core/records.ts";
import { readMetadata, type Table, writeMetadata } from "./table.ts";

export const AGENT_VERSION: Table<AgentVersionRecord> = {
  name: "agent_version",
  columns: {
    id: "text",
    version: "integer",
    fields: "json",
    metadata: "json",
    created_at: "integer",
    updated_at: "integer",
  },
  values: (agent) => [
    agent.id,
    agent.version,
    JSON.stringify(agent.fields),
    writeMetadata(agent.metadata),
    agent.createdAt,
    agent.updatedAt,
  ],
  record: (row) => ({
    id: row.id as string,
    version: row.version as number,
    fields: JSON.parse(row.fields as string) as JsonObject,
    metadata: readMetadata(row.metadata as string),
    createdAt: row.created_at as number,
    updatedAt: row.updated_at as number,
  }),
};

export const AGENT: Table<AgentRecord> = {
  name: "agent",
  columns: {
    ...AGENT_VERSION.columns,
    archived_at: "integer",
    deleted_at: "integer",
  },
  values: (agent) => [...AGENT_VERSION.values(agent), agent.archivedAt, agent.deletedAt],
  record: (row) => ({
    ...AGENT_VERSION.record(row),
    archivedAt: row.archived_at as number | null,
    deletedAt: row.deleted_at as number | null,
  }),
};
