import type { WorkRecord } from "../core/records.ts";
import type { Changes } from "../core/unit.ts";
import type { CommitSignals } from "./store.ts";

/** What a commit means to parked polls and to those who follow sessions. */
export function signalsOf(changes: Changes): CommitSignals {
  const queued = new Map<string, number>();
  const delivered = new Set<string>();
  const delayed = new Set<string>();
  const sessions = new Set<string>();
  for (const work of changes.works.values()) {
    if (mayHaveEnded(work)) sessions.add(work.sessionId);
    if (work.state !== "queued") continue;
    if (work.deliveredAt !== null) delivered.add(work.environmentId);
    else if (work.availableAt !== null) delayed.add(work.environmentId);
    else queued.set(work.environmentId, (queued.get(work.environmentId) ?? 0) + 1);
  }
  for (const event of changes.events) sessions.add(event.sessionId);
  for (const session of changes.sessions.values()) if (session.deletedAt !== null) sessions.add(session.id);
  return { queued, delivered, delayed, sessions };
}

/**
 * Whether a hand-out may have ended with this change: by the stop, a lapse, a release, or the next delivery. Not each of
 * them writes an event.
 */
const mayHaveEnded = ({ state, handOut, deliveredAt }: WorkRecord): boolean =>
  state === "stopped" ? handOut > 0 : state === "queued" && handOut > (deliveredAt === null ? 0 : 1);
