import type { CapstanClient, SessionEvent } from "../../client/index.ts";
import { someText } from "../../config/schemas.ts";
import type { ExitName } from "../exit-codes.ts";
import { followEvents } from "../follow.ts";
import type { Io } from "../io.ts";
import { paint } from "../output/colour.ts";
import { printable } from "../output/printable.ts";
import { eventText } from "../output/views.ts";
import { exitNow, onStopSignals } from "../signals.ts";
import { command } from "../spec.ts";
import { CALL_EXITS, connectToQueue, METADATA_OPTION, metadataOf, readText, userMessage } from "./shared.ts";

/** After how long without a sign of life the queue is asked whether anyone works on it. */
const LONELY_AFTER_MS = 3_000;

export const runPrompt = command({
  path: "run",
  summary: "Create a session from a prompt and follow it until its turn ends",
  details: `Creates a session, prints what the agent says as it comes, and ends when the turn has ended; the exit code says how.
Ctrl-C asks the session's worker to stop, a second one leaves the session to itself.`,
  group: "queue",
  calls: ["createSession", "listEvents", "cancelSession", "workStats"],
  arguments: {
    prompt: { usage: "<prompt>", summary: "What to do; - reads it from standard input.", schema: someText("a text") },
  },
  options: {
    title: { kind: "value", flags: "--title <text>", summary: "What people call it.", schema: someText("a text") },
    ...METADATA_OPTION,
    json: {
      kind: "switch",
      flags: "--json",
      summary: "Print every event as the API has it, one JSON object per line.",
    },
  },
  examples: [
    { command: 'capstan run "Summarise the README"', does: "Prints the answer" },
    { command: "capstan run - --json < task.md", does: "The prompt from a file, the events for a program" },
  ],
  exits: [...CALL_EXITS, "session_error", "cancelled", "retries_exhausted", "interrupted", "terminated"],
  async run({ settings, options, arguments: { prompt }, io }) {
    const text = await readText(prompt, "<prompt>");
    const { client, environmentId } = await connectToQueue(settings);
    const session = await client.createSession({
      environment_id: environmentId,
      title: options.title,
      metadata: metadataOf(options.metadata),
      initial_events: [userMessage(text)],
    });
    note(io, `Session ${session.id}; Ctrl-C cancels it.`);
    const deaf = onStopSignals(() => cancel(io, client, session.id), exitNow);
    try {
      return await followTurn(io, options.json, client, { sessionId: session.id, environmentId });
    } finally {
      deaf();
    }
  },
});

async function followTurn(
  io: Io,
  json: boolean,
  client: CapstanClient,
  { sessionId, environmentId }: { sessionId: string; environmentId: string },
): Promise<ExitName> {
  let failed = false;
  let lonelyFrom: number | undefined = io.now() + LONELY_AFTER_MS;
  for await (const events of followEvents(client, sessionId, undefined, new AbortController().signal)) {
    for (const event of events) {
      show(io, json, event);
      if (event.type === "session.error") failed = true;
      if (event.type.startsWith("agent.")) lonelyFrom = undefined;
      const end = endOf(event);
      if (end !== undefined) return end === "ok" && failed ? "session_error" : end;
    }
    if (lonelyFrom !== undefined && io.now() >= lonelyFrom) {
      lonelyFrom = undefined;
      await sayWhenLonely(io, client, environmentId);
    }
  }
  return "failed";
}

/** How the turn has ended, when this event is its end; the session may go on running, with a worker that waits for more. */
export function endOf(event: SessionEvent): ExitName | undefined {
  if (event.type === "session.status_terminated") return "cancelled";
  if (event.type === "span.turn_end") return "ok";
  if (event.type !== "session.status_idle") return undefined;
  const { type } = (event.stop_reason ?? {}) as { type?: unknown };
  if (type === "cancelled" || type === "retries_exhausted") return type;
  return type === "end_turn" ? "ok" : "failed";
}

function show(io: Io, json: boolean, event: SessionEvent): void {
  if (json) {
    io.out.write(`${JSON.stringify(event)}\n`);
  } else if (event.type === "agent.message") {
    const text = io.out.isTerminal ? printable(eventText(event)) : eventText(event);
    io.out.write(text.endsWith("\n") ? text : `${text}\n`);
  } else if (event.type === "session.error") {
    io.err.write(`${paint(io.err, "red", "error:")} ${printable(eventText(event))}\n`);
  } else if (event.type === "session.status_rescheduled") {
    note(io, "The worker is gone; the session waits for another one.");
  } else if (endOf(event) === "cancelled") {
    note(io, "The session was cancelled.");
  }
}

async function sayWhenLonely(io: Io, client: CapstanClient, environmentId: string): Promise<void> {
  const stats = await client.workStats({ environment_id: environmentId });
  if (stats.workers_polling > 0 || stats.depth === 0) return;
  note(io, `No worker asks for work in ${environmentId}: start one, or wait for those that are busy.`);
}

function cancel(io: Io, client: CapstanClient, sessionId: string): void {
  note(io, "Asked the worker to stop; Ctrl-C again leaves the session to itself.");
  client.cancelSession({ session_id: sessionId }).catch((error: Error) => {
    io.err.write(`${paint(io.err, "red", "error:")} The session could not be cancelled: ${error.message}\n`);
  });
}

const note = (io: Io, text: string): void => io.err.write(`${paint(io.err, "dim", text)}\n`);
