import type { CapstanClient, SessionEvent } from "../client/index.ts";
import type { ExitName } from "./exit-codes.ts";
import { followEvents } from "./follow.ts";
import type { Io } from "./io.ts";
import { paint } from "./output/colour.ts";
import { note } from "./output/note.ts";
import { printable } from "./output/printable.ts";
import { eventText } from "./output/views.ts";

/** After how long without a sign of life the queue is asked whether anyone works on it. */
const LONELY_AFTER_MS = 3_000;

/** How a followed turn can end. */
export const TURN_EXITS = ["session_error", "cancelled", "retries_exhausted"] as const satisfies readonly ExitName[];

export interface Turn {
  readonly sessionId: string;
  readonly environmentId: string;
  /** Everything after this event is shown. */
  readonly after: string;
  /** The message that has to be answered; left out, the first end of a turn is the one. */
  readonly message?: string | undefined;
}

/** Shows what the agent says as it comes, until the turn has ended or the signal is aborted. */
export async function followTurn(
  io: Io,
  json: boolean,
  client: CapstanClient,
  turn: Turn,
  signal: AbortSignal = new AbortController().signal,
): Promise<ExitName> {
  let failed = false;
  const lonely = setTimeout(() => sayWhenLonely(io, client, turn.environmentId), LONELY_AFTER_MS);
  const from = { session_id: turn.sessionId, after_id: turn.after };
  try {
    for await (const event of followEvents(io, client, from, signal)) {
      showAnswer(io, json, event);
      if (event.type === "session.error") failed = true;
      if (event.type.startsWith("agent.")) clearTimeout(lonely);
      const end = endOf(event, turn.message);
      if (end === undefined || (await goesOn(client, turn, end))) continue;
      return end === "ok" && failed ? "session_error" : end;
    }
  } finally {
    clearTimeout(lonely);
  }
  return "failed";
}

/** How the turn has ended, when this event is its end; the session may go on running, with a worker that waits for more. */
function endOf(event: SessionEvent, message: string | undefined): ExitName | undefined {
  if (event.type === "session.status_terminated") return "cancelled";
  if (event.type === "span.turn_end") return coversMessage(event, message) ? "ok" : undefined;
  if (event.type !== "session.status_idle") return undefined;
  const { type } = (event.stop_reason ?? {}) as { type?: unknown };
  if (type === "cancelled" || type === "retries_exhausted") return type;
  return type === "end_turn" ? "ok" : "failed";
}

/** A worker that stays says how far it has come, and the end may be that of the turn before. */
function coversMessage({ processed_through: through }: SessionEvent, message: string | undefined): boolean {
  return message === undefined || typeof through !== "string" || through >= message;
}

/** An earlier turn was cancelled or given up, and the message has begun one of its own. */
async function goesOn(client: CapstanClient, { sessionId, message }: Turn, end: ExitName): Promise<boolean> {
  if (message === undefined || (end !== "cancelled" && end !== "retries_exhausted")) return false;
  const { status } = await client.getSession({ session_id: sessionId });
  return status === "running" || status === "rescheduling";
}

function showAnswer(io: Io, json: boolean, event: SessionEvent): void {
  if (json) {
    io.out.write(`${JSON.stringify(event)}\n`);
  } else if (event.type === "agent.message") {
    const text = io.out.isTerminal ? printable(eventText(event)) : eventText(event);
    io.out.write(text.endsWith("\n") ? text : `${text}\n`);
  } else if (event.type === "session.error") {
    io.err.write(`${paint(io.err, "red", "error:")} ${printable(eventText(event))}\n`);
  } else if (event.type === "session.status_rescheduled") {
    note(io, "The worker is gone; the session waits for another one.");
  } else if (endOf(event, undefined) === "cancelled") {
    note(io, `The session was ${event.type === "session.status_terminated" ? "archived" : "cancelled"}.`);
  }
}

/** A hint, so that a failure to give it is none of the command's. */
async function sayWhenLonely(io: Io, client: CapstanClient, environmentId: string): Promise<void> {
  const stats = await client.workStats({ environment_id: environmentId }).catch(() => undefined);
  if (stats === undefined || stats.workers_polling > 0 || stats.depth === 0) return;
  note(io, `No worker asks for work in ${environmentId}: start one, or wait for those that are busy.`);
}
