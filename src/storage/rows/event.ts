import type { EventRecord, JsonObject } from "../../core/records.ts";
import type { Table } from "./table.ts";

export const EVENT: Table<EventRecord> = {
  name: "event",
  columns: {
    id: "text",
    session_id: "text",
    type: "text",
    payload: "json",
    created_at: "integer",
    processed_at: "integer",
  },
  values: (event) => [
    event.id,
    event.sessionId,
    event.type,
    JSON.stringify(event.payload),
    event.createdAt,
    event.processedAt,
  ],
  record: (row) => ({
    id: row.id as string,
    sessionId: row.session_id as string,
    type: row.type as string,
    payload: JSON.parse(row.payload as string) as JsonObject,
    createdAt: row.created_at as number,
    processedAt: row.processed_at as number | null,
  }),
};
