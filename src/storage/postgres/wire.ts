import type { CommitSignals } from "../store.ts";

/** PostgreSQL takes payloads of less than 8,000 bytes. */
const MAX_PAYLOAD_BYTES = 7_900;
/** Ids without their prefix, quotes, a comma, and a count of up to five digits. */
const ENTRY_BYTES = 42;
const MAX_ENTRIES = Math.floor((MAX_PAYLOAD_BYTES - 100) / ENTRY_BYTES);

/** How signals travel: the sender, then ids without their prefixes. */
interface Payload {
  readonly from: string;
  readonly queued?: readonly (readonly [string, number])[];
  readonly delivered?: readonly string[];
  readonly delayed?: readonly string[];
  readonly sessions?: readonly string[];
}

/** Signals that wait to be sent, merged, so that what many commits have to say fits into few messages. */
export class Outbox {
  #queued = new Map<string, number>();
  #delivered = new Set<string>();
  #delayed = new Set<string>();
  #sessions = new Set<string>();

  add(signals: CommitSignals): void {
    for (const [id, items] of signals.queued) this.#queued.set(id, (this.#queued.get(id) ?? 0) + items);
    for (const id of signals.delivered) this.#delivered.add(id);
    for (const id of signals.delayed) this.#delayed.add(id);
    for (const id of signals.sessions) this.#sessions.add(id);
  }

  get isEmpty(): boolean {
    return this.#queued.size + this.#delivered.size + this.#delayed.size + this.#sessions.size === 0;
  }

  /** A message that says only who sends it. */
  hello(from: string): string {
    return JSON.stringify({ from } satisfies Payload);
  }

  /** Takes out what fits into one message. */
  take(from: string): string {
    let room = MAX_ENTRIES;
    const some = <T>(entries: Iterable<T>, remove: (entry: T) => void): T[] => {
      const taken: T[] = [];
      for (const entry of entries) {
        if (room === 0) break;
        room -= 1;
        taken.push(entry);
        remove(entry);
      }
      return taken;
    };
    const payload: Payload = {
      from,
      queued: some(this.#queued, ([id]) => this.#queued.delete(id)).map(([id, items]) => [bare(id), items] as const),
      delivered: some(this.#delivered, (id) => this.#delivered.delete(id)).map(bare),
      delayed: some(this.#delayed, (id) => this.#delayed.delete(id)).map(bare),
      sessions: some(this.#sessions, (id) => this.#sessions.delete(id)).map(bare),
    };
    return JSON.stringify(payload);
  }
}

/** What one server has heard of another. */
export interface Message {
  readonly from: string;
  readonly signals: CommitSignals;
}

/** Reads a message, or `undefined` when it is none of ours. */
export function readMessage(text: string): Message | undefined {
  let payload: Partial<Payload>;
  try {
    payload = JSON.parse(text) as Partial<Payload>;
  } catch {
    return undefined;
  }
  if (typeof payload !== "object" || typeof payload?.from !== "string") return undefined;
  const environments = (ids: readonly string[] = []) => new Set(ids.map((id) => `env_${id}`));
  const signals = {
    queued: new Map((payload.queued ?? []).map(([id, items]) => [`env_${id}`, items])),
    delivered: environments(payload.delivered),
    delayed: environments(payload.delayed),
    sessions: new Set((payload.sessions ?? []).map((id) => `sess_${id}`)),
  };
  return { from: payload.from, signals };
}

const bare = (id: string): string => id.slice(id.indexOf("_") + 1);
