import { z } from "zod";
import { BEFORE_ALL_EVENTS, type SessionEvent } from "../../client/index.ts";
import { eventKind } from "../../core/event-types.ts";
import { connect } from "../connection.ts";
import { followEvents } from "../follow.ts";
import type { Io } from "../io.ts";
import { paint } from "../output/colour.ts";
import { oneLine } from "../output/printable.ts";
import { eventTable, eventText } from "../output/views.ts";
import { onStopSignals } from "../signals.ts";
import { command } from "../spec.ts";
import { CALL_EXITS, fetchList, idArgument, listOptions, showList } from "./shared.ts";

export const sessionEvents = command({
  path: "session events",
  summary: "List the events of a session, oldest first, or follow them",
  details: `Lists the events of a session, oldest first. With --follow it goes on with what comes, until Ctrl-C or the end of the
session; with --json each event is then one line.`,
  group: "client",
  calls: ["getSession", "listEvents", "streamEvents"],
  arguments: { session: idArgument("session", "session", "Its id.") },
  options: {
    ...listOptions("event"),
    types: {
      kind: "values",
      flags: "--type <type>",
      summary: "Only events of this type, such as agent.message; may be repeated.",
      schema: z
        .string()
        .refine((text) => eventKind(text) !== undefined)
        .meta({ description: "one event type, such as agent.message or session.status_idle" }),
    },
    follow: { kind: "switch", flags: "--follow", summary: "Go on with what comes." },
  },
  examples: [
    { command: "capstan session events sess_… --follow", does: "Watch it work" },
    { command: "capstan session events sess_… --type agent.message --json", does: "What the agent said, for programs" },
  ],
  exits: CALL_EXITS,
  async run({ settings, options, arguments: { session }, io }) {
    const { client } = connect(settings);
    if (!options.follow) {
      const types = options.types.length === 0 ? undefined : options.types;
      const list = await fetchList(options, (page) => client.listEvents({ session_id: session, types, ...page }));
      return showList(io, options, list, eventTable, "There is no such event.");
    }
    const from = { session_id: session, after_id: options.page ?? BEFORE_ALL_EVENTS };
    // Once followed, a server that cannot be reached is waited for; here it is an error.
    await client.getSession({ session_id: session });
    const stop = new AbortController();
    const deaf = onStopSignals(() => stop.abort());
    try {
      for await (const event of followEvents(io, client, from, stop.signal)) {
        if (options.types.length === 0 || options.types.includes(event.type)) showEvent(io, options.json, event);
        if (event.type === "session.status_terminated") break;
      }
    } finally {
      deaf();
    }
    return "ok";
  },
});

function showEvent(io: Io, json: boolean, event: SessionEvent): void {
  if (json) io.out.write(`${JSON.stringify(event)}\n`);
  else {
    const line = `${paint(io.out, "dim", event.created_at)}  ${event.type}  ${oneLine(eventText(event))}`;
    io.out.write(`${line.trimEnd()}\n`);
  }
}
