import type { CapstanClient, SessionEvent } from "../../client/index.ts";
import { LIMITS } from "../../contract/limits.ts";
import { eventText } from "../output/views.ts";
import type { Job } from "./plan.ts";

/** What is known of a session, from its events alone. */
export interface Track {
  readonly job: Job;
  readonly sessionId: string;
  lastEventId: string | undefined;
  filesDone: number;
  /** Workers in the order in which they were heard of. */
  readonly workers: string[];
  /** Process of the command that was heard of last. */
  pid: number | undefined;
  rescheduled: number;
  readonly errors: string[];
  /** The stop reason; `undefined` while the turn goes on. */
  ended: string | undefined;
}

export const newTrack = (job: Job, sessionId: string): Track => ({
  ...{ job, sessionId, lastEventId: undefined, filesDone: 0, workers: [], pid: undefined },
  ...{ rescheduled: 0, errors: [], ended: undefined },
});

/** Reads what is new, and tells of every step that is worth a line. */
export async function follow(client: CapstanClient, track: Track, tell: (text: string) => void): Promise<void> {
  const query = { session_id: track.sessionId, after_id: track.lastEventId, limit: LIMITS.eventsPage.max };
  const { data, last_id: lastId } = await client.listEvents(query);
  track.lastEventId = lastId ?? track.lastEventId;
  for (const event of data) hear(track, event, tell);
}

function hear(track: Track, event: SessionEvent, tell: (text: string) => void): void {
  const { name, files } = track.job;
  switch (event.type) {
    case "agent.message":
      hearAgent(track, event, tell);
      break;
    case "session.status_rescheduled":
      track.rescheduled += 1;
      tell(`${name}: the lease has ended, the session waits for another worker`);
      break;
    case "session.error":
      track.errors.push(eventText(event));
      tell(`${name}: ${eventText(event)}`);
      break;
    case "session.status_idle":
      track.ended = eventText(event);
      tell(`${name}: ended with ${track.ended}, ${track.filesDone} of ${files.length} files`);
      break;
  }
}

function hearAgent(track: Track, event: SessionEvent, tell: (text: string) => void): void {
  const { worker, pid, files_done: filesDone } = event as { worker?: unknown; pid?: unknown; files_done?: unknown };
  if (typeof pid === "number") track.pid = pid;
  if (typeof filesDone === "number") track.filesDone = filesDone;
  if (typeof worker !== "string" || track.workers.at(-1) === worker) return;
  const before = track.workers.at(-1);
  track.workers.push(worker);
  tell(`${track.job.name}: ${worker} ${before === undefined ? "begins" : `goes on where ${before} was cut off`}`);
}
