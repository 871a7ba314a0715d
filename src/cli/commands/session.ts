import { choice, someText } from "../../config/schemas.ts";
import { connect } from "../connection.ts";
import { sessionFields, sessionTable } from "../output/views.ts";
import { command } from "../spec.ts";
import { followTurn, TURN_EXITS } from "../turn.ts";
import { aboutOne, deleted } from "./about-one.ts";
import {
  AGENT_OPTION,
  ARCHIVED_OPTION,
  CALL_EXITS,
  connectToQueue,
  fetchList,
  idArgument,
  JSON_OPTION,
  listOptions,
  METADATA_OPTION,
  metadataOf,
  readText,
  showList,
  showOne,
  userMessage,
} from "./shared.ts";

const SESSION = { session: idArgument("session", "session", "Its id.") } as const;

export const createSession = command({
  path: "session create",
  summary: "Create a session, and give it a first message",
  group: "queue",
  calls: ["createSession"],
  options: {
    ...JSON_OPTION,
    title: { kind: "value", flags: "--title <text>", summary: "What people call it.", schema: someText("a text") },
    message: {
      kind: "value",
      flags: "--message <text>",
      summary: "First message; - reads it from standard input. Left out: the session waits for one.",
      schema: someText("a text"),
    },
    ...AGENT_OPTION,
    ...METADATA_OPTION,
  },
  examples: [
    { command: 'capstan session create --message "Fix the failing test"', does: "Queued at once" },
    { command: "capstan session create --title nightly --metadata branch=main", does: "Idle until a message comes" },
  ],
  exits: CALL_EXITS,
  async run({ settings, options, io }) {
    const message = options.message === undefined ? undefined : await readText(options.message, "--message");
    const { client, environmentId } = await connectToQueue(settings);
    const created = await client.createSession({
      environment_id: environmentId,
      agent: options.agent,
      title: options.title,
      metadata: metadataOf(options.metadata),
      initial_events: message === undefined ? undefined : [userMessage(message)],
    });
    return showOne(io, options, created, sessionFields);
  },
});

export const sendMessage = command({
  path: "session send",
  summary: "Send a message to a session",
  details: `Sends a message to a session. With --follow it prints what the agent says to it, and ends when the turn has ended; the exit
code says how, as that of \`capstan run\` does.`,
  group: "client",
  calls: ["getSession", "sendEvents", "streamEvents"],
  // A worker sends events too, but no messages of a user.
  roles: ["admin", "client"],
  arguments: {
    ...SESSION,
    message: {
      usage: "<message>",
      summary: "The message; - reads it from standard input.",
      schema: someText("a text"),
    },
  },
  options: {
    ...JSON_OPTION,
    follow: {
      kind: "switch",
      flags: "--follow",
      summary: "Print what the agent answers, until its turn ends; with --json, an event per line.",
    },
  },
  examples: [
    { command: 'capstan session send sess_… "Now the documentation"', does: "A session that is idle starts again" },
    { command: 'capstan session send sess_… "And the tests?" --follow', does: "Prints the answer" },
    { command: "capstan session send sess_… - < notes.md", does: "From a file" },
  ],
  exits: [...CALL_EXITS, ...TURN_EXITS],
  async run({ settings, options, arguments: { session, message }, io }) {
    const text = await readText(message, "<message>");
    const { client } = connect(settings);
    const sent = await client.sendEvents({ session_id: session, events: [userMessage(text)] });
    const id = sent.data.at(-1)?.id;
    if (options.follow && id !== undefined) {
      const { environment_id: environmentId } = await client.getSession({ session_id: session });
      return followTurn(io, options.json, client, { sessionId: session, environmentId, after: id, message: id });
    }
    return showOne(io, options, sent, () => `Sent ${sent.data.map((event) => event.id).join(", ")}.\n`);
  },
});

export const getSession = aboutOne({
  path: "session get",
  summary: "Show one session",
  kind: "session",
  call: "getSession",
  example: { command: "capstan session get sess_…", does: "Its status and how long it has worked" },
  view: sessionFields,
  run: (client, session_id) => client.getSession({ session_id }),
});

const STATUSES = ["idle", "running", "rescheduling", "terminated"] as const;

export const listSessions = command({
  path: "session list",
  summary: "List sessions, newest first",
  group: "client",
  calls: ["listSessions"],
  options: {
    ...listOptions("session"),
    status: {
      kind: "values",
      flags: "--status <status>",
      summary: `Only sessions with this status (${STATUSES.join(", ")}); may be repeated.`,
      schema: choice(STATUSES),
    },
    environment: {
      kind: "value",
      flags: "--environment <id>",
      summary: "Only sessions of this environment, by its id.",
      schema: idArgument("environment", "environment", "").schema,
    },
    agent: {
      kind: "value",
      flags: "--agent <id>",
      summary: "Only sessions of this agent, whatever its version.",
      schema: idArgument("agent", "agent", "").schema,
    },
    ...ARCHIVED_OPTION,
  },
  examples: [
    { command: "capstan session list --status running --status rescheduling", does: "What is under way" },
    { command: "capstan session list --environment env_… --json", does: "Of one environment, for programs" },
  ],
  exits: CALL_EXITS,
  async run({ settings, options, io }) {
    const { client } = connect(settings);
    const filter = {
      environment_id: options.environment,
      agent_id: options.agent,
      statuses: options.status.length === 0 ? undefined : options.status,
      include_archived: options.archived || undefined,
    };
    const list = await fetchList(options, (page) => client.listSessions({ ...page, ...filter }));
    const isFiltered = options.status.length > 0 || options.environment !== undefined || options.agent !== undefined;
    const emptyHint = isFiltered
      ? "No session is like that; without the filters, `capstan session list` shows what there is."
      : 'There is no session yet. Start one: capstan run "Say hello"';
    return showList(io, options, list, sessionTable, emptyHint);
  },
});

export const cancelSession = aboutOne({
  path: "session cancel",
  summary: "Ask the session's worker to stop",
  kind: "session",
  call: "cancelSession",
  example: { command: "capstan session cancel sess_…", does: "The session is idle once its worker has stopped" },
  view: sessionFields,
  run: (client, session_id) => client.cancelSession({ session_id }),
});

export const archiveSession = aboutOne({
  path: "session archive",
  summary: "End a session for good; it can still be read",
  kind: "session",
  call: "archiveSession",
  example: { command: "capstan session archive sess_…", does: "Stops its work at once; no way back" },
  view: sessionFields,
  run: (client, session_id) => client.archiveSession({ session_id }),
});

export const deleteSession = aboutOne({
  path: "session delete",
  summary: "Delete a session and its events",
  kind: "session",
  call: "deleteSession",
  example: { command: "capstan session delete sess_…", does: "Stops its work at once; no way back" },
  view: deleted,
  run: (client, session_id) => client.deleteSession({ session_id }),
});
