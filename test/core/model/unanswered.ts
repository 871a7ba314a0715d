import { eventKind } from "../../../src/core/event-types.ts";
import type { EventRecord } from "../../../src/core/records.ts";
import type { PureCall } from "../../support/pure-unit.ts";
import type { Snapshot } from "./rules.ts";

const newest = (events: readonly EventRecord[], sessionId: string): string =>
  events.reduce((last, event) => (event.sessionId === sessionId && event.id > last ? event.id : last), "");

/**
 * Which input is still unanswered when an item ends, kept from the calls and by the words of the contract: with
 * `processed_through`, what follows it; without, what was accepted after the ack and no `agent.*` event follows; never
 * what was cancelled or dealt with before.
 */
export class UnansweredInput {
  readonly #acked = new Map<string, string>();
  readonly #told = new Map<string, string>();
  /** Per session: input up to here is cancelled, or was dealt with by an item before. */
  readonly #over = new Map<string, string>();

  /** Takes one commit of one call in. Returns a sentence when a session was left without an item it needs, or got one. */
  observe(call: PureCall, accepted: boolean, before: Snapshot, after: Snapshot): string | undefined {
    if (accepted) this.#note(call, before);
    for (const was of before.works.values()) {
      const is = after.works.get(was.id);
      if (is === undefined || is.state === was.state) continue;
      if (is.state === "queued") {
        this.#acked.delete(is.id);
        this.#told.delete(is.id);
      }
      if (is.state !== "stopped") continue;
      const session = after.sessions.get(is.sessionId);
      if (session === undefined || session.archivedAt !== null || session.deletedAt !== null) continue;
      // Whoever stops an item that waits cancels everything that waits with it.
      const waits = was.state === "queued" ? [] : this.#unanswered(is.id, is.sessionId, before.events);
      if (waits.length > 0 !== (session.liveWorkId !== null)) {
        return `${is.id} ended with ${waits.length} unanswered inputs, and the session has ${session.liveWorkId}`;
      }
      const dealtWith = was.state === "queued" ? newest(before.events, is.sessionId) : this.#through(is.id);
      this.#raise(is.sessionId, dealtWith);
    }
    return undefined;
  }

  #note(call: PureCall, before: Snapshot): void {
    if (call.name === "cancelSession") {
      const session = before.sessions.get(call.input.sessionId);
      if (session?.liveWorkId) this.#raise(session.id, newest(before.events, session.id));
    }
    if (call.name !== "ack" && call.name !== "stop") return;
    const work = before.works.get(call.input.workId);
    if (work === undefined) return;
    const last = newest(before.events, work.sessionId);
    if (call.name === "ack" && work.state === "queued") this.#acked.set(work.id, last);
    if (call.name === "stop" && work.state !== "stopped" && call.input.processedThrough !== undefined) {
      const told = call.input.processedThrough;
      this.#told.set(work.id, told < last ? told : last);
    }
  }

  #unanswered(workId: string, sessionId: string, events: readonly EventRecord[]): EventRecord[] {
    const own = events.filter((event) => event.sessionId === sessionId);
    const told = this.#told.get(workId);
    const over = this.#over.get(sessionId) ?? "";
    return own.filter((input) => {
      if (eventKind(input.type)?.needsAgent !== true || input.id <= over) return false;
      if (told !== undefined) return input.id > told;
      if (input.id <= (this.#acked.get(workId) ?? "")) return false;
      return !own.some((event) => event.type.startsWith("agent.") && event.id > input.id);
    });
  }

  #through(workId: string): string {
    return this.#told.get(workId) ?? this.#acked.get(workId) ?? "";
  }

  #raise(sessionId: string, through: string): void {
    if (through > (this.#over.get(sessionId) ?? "")) this.#over.set(sessionId, through);
  }
}
