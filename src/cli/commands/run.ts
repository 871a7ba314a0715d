import { BEFORE_ALL_EVENTS, type CapstanClient } from "../../client/index.ts";
import { someText } from "../../config/schemas.ts";
import type { Io } from "../io.ts";
import { paint } from "../output/colour.ts";
import { note } from "../output/note.ts";
import { exitNow, onStopSignals, type StopSignal, signalExit } from "../signals.ts";
import { command } from "../spec.ts";
import { followTurn, TURN_EXITS } from "../turn.ts";
import {
  AGENT_OPTION,
  CALL_EXITS,
  connectToQueue,
  METADATA_OPTION,
  metadataOf,
  readText,
  userMessage,
} from "./shared.ts";

export const runPrompt = command({
  path: "run",
  summary: "Create a session from a prompt and follow it until its turn ends",
  details: `Creates a session, prints what the agent says as it comes, and ends when the turn has ended; the exit code says how.
Ctrl-C or SIGTERM asks the session's worker to stop, a second one leaves the session to itself, and so does the first when the
server cannot be asked.`,
  group: "queue",
  calls: ["createSession", "streamEvents", "cancelSession", "workStats"],
  arguments: {
    prompt: { usage: "<prompt>", summary: "What to do; - reads it from standard input.", schema: someText("a text") },
  },
  options: {
    title: { kind: "value", flags: "--title <text>", summary: "What people call it.", schema: someText("a text") },
    ...AGENT_OPTION,
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
  exits: [...CALL_EXITS, ...TURN_EXITS, "interrupted", "terminated"],
  async run({ settings, options, arguments: { prompt }, io }) {
    const text = await readText(prompt, "<prompt>");
    const { client, environmentId } = await connectToQueue(settings);
    const session = await client.createSession({
      environment_id: environmentId,
      agent: options.agent,
      title: options.title,
      metadata: metadataOf(options.metadata),
      initial_events: [userMessage(text)],
    });
    note(io, `Session ${session.id}; Ctrl-C cancels it.`);
    const left = new AbortController();
    let leftFor: StopSignal | undefined;
    const deaf = onStopSignals(async (signal) => {
      if (await cancel(io, client, session.id, signal)) return;
      leftFor = signal;
      left.abort();
    }, exitNow);
    try {
      const turn = { sessionId: session.id, environmentId, after: BEFORE_ALL_EVENTS };
      const exit = await followTurn(io, options.json, client, turn, left.signal);
      return leftFor === undefined ? exit : signalExit(leftFor);
    } finally {
      deaf();
    }
  },
});

/** Whoever sends a SIGTERM often kills after ten seconds: by then we have said what became of the session. */
const CALL = { timeoutMs: 4_000, maxRetries: 1 } as const;

/** @returns whether the server knows */
async function cancel(io: Io, client: CapstanClient, sessionId: string, signal: StopSignal): Promise<boolean> {
  const again = signal === "SIGINT" ? "; Ctrl-C again leaves the session to itself" : "";
  note(io, `Asking the worker to stop${again}.`);
  try {
    await client.cancelSession({ session_id: sessionId }, CALL);
    return true;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `The session could not be cancelled, and is left to itself: ${why}`;
    io.err.write(`${paint(io.err, "red", "error:")} ${message}\n`);
    return false;
  }
}
