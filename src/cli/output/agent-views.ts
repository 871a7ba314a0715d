import type { Agent } from "../../client/index.ts";
import type { Io } from "../io.ts";
import { oneLine, printable } from "./printable.ts";
import { type Column, renderFields, renderTable } from "./table.ts";
import { relativeTime } from "./time.ts";

const modelOf = ({ model }: Agent): string =>
  oneLine(typeof model === "string" ? model : String(model.id ?? JSON.stringify(model)));

export function agentTable(io: Io, rows: readonly Agent[]): string {
  const columns: Column<Agent>[] = [
    { title: "ID", text: (row) => row.id },
    { title: "VERSION", text: (row) => String(row.version), align: "right" },
    { title: "NAME", text: (row) => row.name, flexible: true },
    { title: "MODEL", text: modelOf },
    { title: "UPDATED", text: (row) => relativeTime(row.updated_at, io.now()) },
    { title: "ARCHIVED", text: (row) => relativeTime(row.archived_at, io.now()), style: () => "dim" },
  ];
  return renderTable(io.out, columns, rows);
}

export function agentFields(io: Io, one: Agent): string {
  const text = (value: string | null) => (value === null || value === "" ? "–" : printable(value));
  const parts = (values: readonly object[]) => (values.length === 0 ? "–" : JSON.stringify(values));
  const stamp = (time: string | null) => (time === null ? "–" : `${relativeTime(time, io.now())} (${time})`);
  return renderFields(io.out, [
    ["id", one.id],
    ["version", String(one.version)],
    ["name", oneLine(one.name)],
    ["model", modelOf(one)],
    ["description", text(one.description)],
    ["system", text(one.system)],
    ["tools", parts(one.tools)],
    ["mcp servers", parts(one.mcp_servers)],
    ["skills", parts(one.skills)],
    ["metadata", JSON.stringify(one.metadata)],
    ["created", stamp(one.created_at)],
    ["updated", stamp(one.updated_at)],
    ["archived", stamp(one.archived_at)],
  ]);
}
