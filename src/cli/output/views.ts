/** How things of the API look to people. Programs get the API's own JSON instead. */
import type { Environment, Session, SessionEvent, Token, Work, WorkQueueStats } from "../../contract/shapes.ts";
import type { Io } from "../io.ts";
import { paint, STATE_STYLES } from "./colour.ts";
import { oneLine } from "./printable.ts";
import { type Column, renderFields, renderTable } from "./table.ts";
import { relativeTime } from "./time.ts";

const environmentType = (environment: Environment): string => String(environment.config.type ?? "");
const or = (text: string | null, instead: string): string => (text === null || text === "" ? instead : oneLine(text));

export function environmentTable(io: Io, rows: readonly Environment[]): string {
  const columns: Column<Environment>[] = [
    { title: "ID", text: (row) => row.id },
    { title: "NAME", text: (row) => row.name, flexible: true },
    { title: "TYPE", text: environmentType },
    { title: "CREATED", text: (row) => relativeTime(row.created_at, io.now()) },
    { title: "ARCHIVED", text: (row) => relativeTime(row.archived_at, io.now()), style: () => "dim" },
  ];
  return renderTable(io.out, columns, rows);
}

export function environmentFields(io: Io, one: Environment): string {
  return renderFields(io.out, [
    ["id", one.id],
    ["name", oneLine(one.name)],
    ["description", or(one.description, "–")],
    ["config", JSON.stringify(one.config)],
    ["metadata", JSON.stringify(one.metadata)],
    ["created", stamp(io, one.created_at)],
    ["updated", stamp(io, one.updated_at)],
    ["archived", stamp(io, one.archived_at)],
  ]);
}

export function sessionTable(io: Io, rows: readonly Session[]): string {
  const columns: Column<Session>[] = [
    { title: "ID", text: (row) => row.id },
    { title: "STATUS", text: (row) => row.status, style: (row) => STATE_STYLES[row.status] },
    { title: "TITLE", text: (row) => or(row.title, "–"), flexible: true },
    { title: "CREATED", text: (row) => relativeTime(row.created_at, io.now()) },
    { title: "UPDATED", text: (row) => relativeTime(row.updated_at, io.now()) },
  ];
  return renderTable(io.out, columns, rows);
}

export function sessionFields(io: Io, one: Session): string {
  const agent: readonly [string, string][] = one.agent === null ? [] : [["agent", agentText(one.agent)]];
  return renderFields(io.out, [
    ["id", one.id],
    ["status", state(io, one.status)],
    ["title", or(one.title, "–")],
    ["environment", one.environment_id],
    ...agent,
    ["active", `${one.stats.active_seconds} s of ${one.stats.duration_seconds} s`],
    ["metadata", JSON.stringify(one.metadata)],
    ["created", stamp(io, one.created_at)],
    ["updated", stamp(io, one.updated_at)],
    ["archived", stamp(io, one.archived_at)],
  ]);
}

/** As a session keeps it: in the version that it began with. */
const agentText = ({ id, version, name }: Readonly<Record<string, unknown>>): string =>
  `${oneLine(String(name))} (${id}, version ${version})`;

export function workTable(io: Io, rows: readonly Work[]): string {
  const ago = (time: string | null) => relativeTime(time, io.now());
  const columns: Column<Work>[] = [
    { title: "ID", text: (row) => row.id },
    { title: "STATE", text: (row) => row.state, style: (row) => STATE_STYLES[row.state] },
    { title: "SESSION", text: (row) => row.data.id },
    { title: "CREATED", text: (row) => ago(row.created_at) },
    { title: "HEARTBEAT", text: (row) => ago(row.latest_heartbeat_at) },
    { title: "STOPPED", text: (row) => ago(row.stopped_at) },
  ];
  return renderTable(io.out, columns, rows);
}

export function workFields(io: Io, one: Work): string {
  return renderFields(io.out, [
    ["id", one.id],
    ["state", state(io, one.state)],
    ["session", one.data.id],
    ["environment", one.environment_id],
    ["metadata", JSON.stringify(one.metadata)],
    ["created", stamp(io, one.created_at)],
    ["acknowledged", stamp(io, one.acknowledged_at)],
    ["started", stamp(io, one.started_at)],
    ["heartbeat", stamp(io, one.latest_heartbeat_at)],
    ["stop requested", stamp(io, one.stop_requested_at)],
    ["stopped", stamp(io, one.stopped_at)],
  ]);
}

export function statsFields(io: Io, stats: WorkQueueStats): string {
  return renderFields(io.out, [
    ["waiting", String(stats.depth)],
    ["delivered, not yet taken", String(stats.pending)],
    ["oldest in the queue", relativeTime(stats.oldest_queued_at, io.now())],
    ["workers polling", String(stats.workers_polling)],
  ]);
}

export function tokenTable(io: Io, rows: readonly Token[]): string {
  const ago = (time: string | null) => relativeTime(time, io.now());
  const columns: Column<Token>[] = [
    { title: "ID", text: (row) => row.id },
    { title: "NAME", text: (row) => row.name, flexible: true },
    { title: "ROLE", text: (row) => row.role },
    { title: "ENVIRONMENT", text: (row) => or(row.environment_id, "–") },
    { title: "CREATED", text: (row) => ago(row.created_at) },
    { title: "LAST USED", text: (row) => ago(row.last_used_at) },
    { title: "ENDS", text: (row) => (row.revoked_at === null ? ago(row.expires_at) : "revoked") },
  ];
  return renderTable(io.out, columns, rows);
}

export function eventTable(io: Io, rows: readonly SessionEvent[]): string {
  const columns: Column<SessionEvent>[] = [
    { title: "ID", text: (row) => row.id },
    { title: "TYPE", text: (row) => row.type, style: (row) => (row.type === "session.error" ? "red" : undefined) },
    { title: "CREATED", text: (row) => relativeTime(row.created_at, io.now()) },
    { title: "CONTENT", text: eventText, flexible: true },
  ];
  return renderTable(io.out, columns, rows);
}

/** What went wrong, and the end of what a command that failed wrote about it. */
function errorText({ message, stderr_tail: tail }: { message?: unknown; stderr_tail?: unknown }): string {
  const said = String(message ?? "");
  return typeof tail === "string" && tail.trim() !== "" ? `${said}\n${tail.trimEnd()}` : said;
}

/** What an event says, as far as it is text. */
export function eventText(event: SessionEvent): string {
  const { content, error, stop_reason: stopReason, name, ...rest } = event as Record<string, unknown>;
  if (Array.isArray(content)) return content.map(blockText).join("");
  if (typeof error === "object" && error !== null) return errorText(error);
  if (typeof stopReason === "object" && stopReason !== null)
    return String((stopReason as { type?: unknown }).type ?? "");
  if (typeof name === "string") return name;
  const { id: _id, type: _type, created_at: _created, processed_at: _processed, ...payload } = rest;
  return Object.keys(payload).length === 0 ? "" : JSON.stringify(payload);
}

function blockText(block: unknown): string {
  if (typeof block !== "object" || block === null) return "";
  const { type, text } = block as { type?: unknown; text?: unknown };
  return typeof text === "string" ? text : `[${String(type)}]`;
}

const state = (io: Io, name: string): string => {
  const style = STATE_STYLES[name];
  return style === undefined ? name : paint(io.out, style, name);
};

const stamp = (io: Io, time: string | null): string =>
  time === null ? "–" : `${relativeTime(time, io.now())} (${time})`;
