import { setTimeout as sleep } from "node:timers/promises";
import { BEFORE_ALL_EVENTS, type CapstanClient, type Session, type SessionEvent } from "../../client/index.ts";
import { wholeNumber } from "../../config/schemas.ts";
import { LIMITS } from "../../contract/limits.ts";
import { connect } from "../connection.ts";
import { followEvents } from "../follow.ts";
import type { Io } from "../io.ts";
import { Elapsed, eventLines, stopwatch } from "../output/event-lines.ts";
import { note } from "../output/note.ts";
import { oneLine } from "../output/printable.ts";
import { StatusLine } from "../output/status-line.ts";
import { onStopSignals } from "../signals.ts";
import { command } from "../spec.ts";
import { CALL_EXITS, idArgument } from "./shared.ts";

const DEFAULT_LAST = 20;
/** How often a session is looked for while there is none. */
const LOOK_EVERY_MS = 500;

export const watchSession = command({
  path: "session watch",
  summary: "Watch a session live: messages, tool calls, changes of state, elapsed time",
  details: `Shows the latest events of a session and goes on with what comes, until Ctrl-C or the end of the session: of the newest
session, when none is named. Each line says when, how long into the turn, who, and what. A lost connection is made again,
and nothing is left out.`,
  group: "client",
  calls: ["listSessions", "getSession", "listEvents", "streamEvents"],
  arguments: {
    session: {
      ...idArgument("session", "session", "Its id; left out, the newest session, or the first one that comes."),
      usage: "[session]",
    },
  },
  options: {
    last: {
      kind: "value",
      flags: "--last <count>",
      summary: `Events before now to begin with, 0 to ${LIMITS.eventsPage.max}; default ${DEFAULT_LAST}.`,
      schema: wholeNumber(0, LIMITS.eventsPage.max),
      default: String(DEFAULT_LAST),
    },
    full: { kind: "switch", flags: "--full", summary: "Show long texts whole." },
    json: {
      kind: "switch",
      flags: "--json",
      summary: "Print every event as the API has it, one JSON object per line.",
    },
  },
  examples: [
    { command: "capstan session watch", does: "The newest session, in a second terminal while it works" },
    { command: "capstan session watch sess_… --last 0 --json", does: "Only what comes, for programs" },
  ],
  exits: CALL_EXITS,
  async run({ settings, options, arguments: { session: named }, io }) {
    const { client } = connect(settings);
    const stop = new AbortController();
    const deaf = onStopSignals(() => stop.abort());
    let show: Show | undefined;
    try {
      const id = named ?? (await newestSession(io, client, stop.signal));
      if (id === undefined) return "ok";
      const session = await client.getSession({ session_id: id });
      const latest = await latestEvents(client, id, options.last);
      show = options.json ? showJson(io) : showLines(io, session, options.full);
      for (const event of latest.events) show.event(event);
      if (session.status === "terminated") return "ok";
      show.begin();
      const from = { session_id: id, after_id: latest.position };
      for await (const event of followEvents(io, client, from, stop.signal)) {
        show.event(event);
        if (event.type === "session.status_terminated") break;
      }
      return "ok";
    } finally {
      deaf();
      show?.end();
    }
  },
});

/** The newest session, waiting for one when there is none yet; `undefined` when the wait is ended. */
async function newestSession(io: Io, client: CapstanClient, signal: AbortSignal): Promise<string | undefined> {
  for (let told = false; !signal.aborted; told = true) {
    const [newest] = (await client.listSessions({ limit: 1 })).data;
    if (newest !== undefined) return newest.id;
    if (!told) note(io, 'There is no session yet; this waits for one. Start it: capstan run "Say hello"');
    await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

/** The latest events, oldest first, and the position to go on from. */
async function latestEvents(client: CapstanClient, id: string, count: number) {
  const newestFirst = await client.listEvents({ session_id: id, order: "desc", limit: Math.max(1, count) });
  const events = newestFirst.data.toReversed();
  return { events: count === 0 ? [] : events, position: events.at(-1)?.id ?? BEFORE_ALL_EVENTS };
}

interface Show {
  event(event: SessionEvent): void;
  /** What was there before has been shown. */
  begin(): void;
  end(): void;
}

const showJson = (io: Io): Show => ({
  event: (event) => io.out.write(`${JSON.stringify(event)}\n`),
  begin: () => {},
  end: () => {},
});

function showLines(io: Io, session: Session, full: boolean): Show {
  const elapsed = new Elapsed();
  const line = new StatusLine(io.out, () => {
    const now = elapsed.since === undefined ? "waits" : `runs for ${stopwatch(io.now() - elapsed.since)}`;
    return `── ${now}; Ctrl-C ends the watch, not the session`;
  });
  const title = session.title === null ? "" : `, ${oneLine(session.title)}`;
  note(io, `Session ${session.id}${title}: ${session.status}`);
  return {
    event: (event) => line.above(eventLines(io.out, event, elapsed.at(event), full)),
    begin: () => line.show(),
    end: () => line.end(),
  };
}
