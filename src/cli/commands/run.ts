import { BEFORE_ALL_EVENTS, type CapstanClient } from "../../client/index.ts";
import { someText } from "../../config/schemas.ts";
import type { Io } from "../io.ts";
import { paint } from "../output/colour.ts";
import { note } from "../output/note.ts";
import { exitNow, onStopSignals } from "../signals.ts";
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
Ctrl-C asks the session's worker to stop, a second one leaves the session to itself.`,
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
    const deaf = onStopSignals(() => cancel(io, client, session.id), exitNow);
    try {
      const turn = { sessionId: session.id, environmentId, after: BEFORE_ALL_EVENTS };
      return await followTurn(io, options.json, client, turn);
    } finally {
      deaf();
    }
  },
});

function cancel(io: Io, client: CapstanClient, sessionId: string): void {
  note(io, "Asked the worker to stop; Ctrl-C again leaves the session to itself.");
  client.cancelSession({ session_id: sessionId }).catch((error: Error) => {
    io.err.write(`${paint(io.err, "red", "error:")} The session could not be cancelled: ${error.message}\n`);
  });
}
