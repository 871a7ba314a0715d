import type { TokenRecord, TokenRole } from "../../core/records.ts";
import { readText, writeText } from "../text.ts";
import type { Table } from "./table.ts";

export const TOKEN: Table<TokenRecord> = {
  name: "token",
  columns: {
    id: "text",
    name: "text",
    role: "text",
    environment_id: "text",
    hash: "text",
    created_at: "integer",
    expires_at: "integer",
    revoked_at: "integer",
    last_used_at: "integer",
  },
  values: (token) => [
    token.id,
    writeText(token.name),
    token.role,
    token.environmentId,
    token.hash,
    token.createdAt,
    token.expiresAt,
    token.revokedAt,
    token.lastUsedAt,
  ],
  record: (row) => ({
    id: row.id as string,
    name: readText(row.name as string),
    role: row.role as TokenRole,
    environmentId: row.environment_id as string | null,
    hash: row.hash as string,
    createdAt: row.created_at as number,
    expiresAt: row.expires_at as number | null,
    revokedAt: row.revoked_at as number | null,
    lastUsedAt: row.last_used_at as number | null,
  }),
};
