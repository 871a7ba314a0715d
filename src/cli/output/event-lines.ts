/** Events as lines that a person reads while they come. */
import type { SessionEvent } from "../../client/index.ts";
import type { Sink } from "../io.ts";
import { paint, STATE_STYLES, type Style } from "./colour.ts";
import { oneLine, printable } from "./printable.ts";
import { eventText } from "./views.ts";

/** Lines of one event that are shown unless all are asked for. */
const MAX_LINES = 20;
const MAX_CHARACTERS = 4_000;

interface Told {
  readonly who: string;
  readonly style: Style | undefined;
  readonly text: string;
}

const WHO_WIDTH = 6;
const ELAPSED_WIDTH = 9;

/** A worker that stays says with it that a turn is over. */
const TURN_END = "span.turn_end";
const ENDS: ReadonlySet<string> = new Set(["session.status_idle", "session.status_terminated", TURN_END]);

/** Tells how long a turn has taken: from the message or the change of state with which it began. */
export class Elapsed {
  #since: number | undefined;

  /** Milliseconds since the turn of this event began; `undefined` outside of one. */
  at(event: SessionEvent): number | undefined {
    const at = Date.parse(event.created_at);
    if (event.type === "session.status_running") this.#since = at;
    // Input to a worker that has stayed begins a turn without a change of state.
    if (event.type === "user.message") this.#since ??= at;
    const elapsed = this.#since === undefined ? undefined : Math.max(0, at - this.#since);
    if (ENDS.has(event.type)) this.#since = undefined;
    return elapsed;
  }

  /** When the turn that goes on now began, in milliseconds since the Unix epoch. */
  get since(): number | undefined {
    return this.#since;
  }
}

/** One event: when, how long into its turn, who, and what. Text of several lines is indented below its first. */
export function eventLines(sink: Sink, event: SessionEvent, elapsedMs: number | undefined, full: boolean): string {
  const { who, style, text } = tell(event);
  const time = new Date(event.created_at).toTimeString().slice(0, 8);
  const since = (elapsedMs === undefined ? "" : `+${stopwatch(elapsedMs)}`).padStart(ELAPSED_WIDTH);
  const name = who.padEnd(WHO_WIDTH);
  const indent = " ".repeat(time.length + ELAPSED_WIDTH + WHO_WIDTH + 3);
  const lines = (full ? printable(text) : shortened(printable(text))).trimEnd().split("\n");
  const head = `${paint(sink, "dim", `${time} ${since}`)} ${style === undefined ? name : paint(sink, style, name)} `;
  return `${head}${lines.join(`\n${indent}`)}`.trimEnd().concat("\n");
}

/** `3.2 s`, `2:05 min`, `1:02:05 h`. */
export function stopwatch(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const two = (value: number) => String(value).padStart(2, "0");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)} min`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)} h`;
}

function shortened(text: string): string {
  const cut = text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
  const lines = cut.split("\n");
  const left = lines.length - MAX_LINES;
  const shown = left > 0 ? [...lines.slice(0, MAX_LINES), `… ${left} more lines`] : lines;
  const hidden = text.length - cut.length;
  return hidden > 0 ? [...shown, `… ${hidden} more characters`].join("\n") : shown.join("\n");
}

function tell(event: SessionEvent): Told {
  const [family = "", kind = ""] = event.type.split(".");
  if (event.type === "session.error") return { who: "error", style: "red", text: eventText(event) };
  if (event.type === TURN_END) return { who: "state", style: "dim", text: "turn over, the worker waits for more" };
  if (family === "session") return tellStatus(event, kind.replace(/^status_/, ""));
  if (kind.endsWith("tool_result")) return tellResult(event);
  if (kind.endsWith("tool_use")) return { who: "tool", style: "yellow", text: toolCall(event) };
  if (event.type === "agent.message") return { who: "agent", style: "green", text: eventText(event) };
  if (event.type === "user.message") return { who: "user", style: "cyan", text: eventText(event) };
  const text = `${kind.replaceAll("_", " ")} ${eventText(event)}`;
  const plain = family === "user" ? ("cyan" as const) : ("dim" as const);
  return { who: family === "agent" || family === "user" || family === "system" ? family : "span", style: plain, text };
}

function tellStatus(event: SessionEvent, status: string): Told {
  const name = status === "rescheduled" ? "rescheduling" : status;
  const { stop_reason: stopReason, reason } = event as { stop_reason?: { type?: unknown }; reason?: unknown };
  const why = stopReason?.type ?? reason;
  return {
    who: "state",
    style: STATE_STYLES[name],
    text: why === undefined ? name : `${name} (${oneLine(String(why))})`,
  };
}

function toolCall(event: SessionEvent): string {
  const { name, input } = event as { name?: unknown; input?: unknown };
  const called = typeof name === "string" ? name : "a tool";
  return input === undefined ? called : `${called} ${typeof input === "string" ? input : JSON.stringify(input)}`;
}

function tellResult(event: SessionEvent): Told {
  const failed = event.is_error === true;
  const text = Array.isArray(event.content) ? eventText(event) : "";
  return { who: "result", style: failed ? "red" : "dim", text: text === "" ? (failed ? "failed" : "done") : text };
}
