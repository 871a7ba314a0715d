import type { CommitSignals } from "../store.ts";

/** PostgreSQL takes payloads of less than 8,000 bytes. */
const MAX_PAYLOAD_BYTES = 7_900;
/** The largest entry: an id without its prefix and a key of two ids, with brackets, quotes and commas. */
const ENTRY_BYTES = 120;
const MAX_ENTRIES = Math.floor((MAX_PAYLOAD_BYTES - 100) / ENTRY_BYTES);

/** How signals travel: the sender, then ids without their prefixes. */
interface Payload {
  readonly from: string;
  readonly queued?: readonly (readonly [string, number])[];
  readonly delivered?: readonly string[];
  readonly delayed?: readonly string[];
  /** The first item that each queue got, by environment. */
  readonly first?: readonly (readonly [string, string])[];
  readonly sessions?: readonly string[];
}

/** Signals that wait to be sent, merged, so that what many commits have to say fits into few messages. */
export class Outbox {
  #queued = new Map<string, number>();
  #delivered = new Set<string>();
  #delayed = new Set<string>();
  #sessions = new Set<string>();
  #first = new Map<string, string>();

  /** @param first the key of the first item that each queue got */
  add(signals: CommitSignals, first: Iterable<readonly [string, string]>): void {
    for (const [id, key] of first) {
      const known = this.#first.get(id);
      if (known === undefined || key < known) this.#first.set(id, key);
    }
    for (const [id, items] of signals.queued) this.#queued.set(id, (this.#queued.get(id) ?? 0) + items);
    for (const id of signals.delivered) this.#delivered.add(id);
    for (const id of signals.delayed) this.#delayed.add(id);
    for (const id of signals.sessions) this.#sessions.add(id);
  }

  get isEmpty(): boolean {
    const sets = [this.#queued, this.#delivered, this.#delayed, this.#sessions, this.#first];
    return sets.every((set) => set.size === 0);
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
      first: some(this.#first, ([id]) => this.#first.delete(id)).map(([id, key]) => [bare(id), key] as const),
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
  /** What it says, or `unclear`: a newer program may say it in another way. */
  readonly said: Said | "unclear";
}

export interface Said {
  readonly signals: CommitSignals;
  /** The key of the first item that each queue got, by environment. */
  readonly first: ReadonlyMap<string, string>;
}

/** Reads a message, or `undefined` when it is none of ours. Anybody who may use the database can send anything. */
export function readMessage(text: string): Message | undefined {
  const payload = parsed(text);
  if (typeof payload?.from !== "string") return undefined;
  const { from, queued = [], first = [], delivered = [], delayed = [], sessions = [] } = payload;
  const understood =
    isListOf(isCounted, queued) &&
    isListOf(isKeyed, first) &&
    isListOf(isId, delivered) &&
    isListOf(isId, delayed) &&
    isListOf(isId, sessions);
  if (!understood) return { from, said: "unclear" };
  const signals = {
    queued: new Map(queued.map(([id, items]) => [environment(id), items])),
    delivered: new Set(delivered.map(environment)),
    delayed: new Set(delayed.map(environment)),
    sessions: new Set(sessions.map((id) => `sess_${id}`)),
  };
  return { from, said: { signals, first: new Map(first.map(([id, key]) => [environment(id), key])) } };
}

function parsed(text: string): { readonly [K in keyof Payload]?: unknown } | undefined {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

const isListOf = <T>(isOne: (value: unknown) => value is T, value: unknown): value is readonly T[] =>
  Array.isArray(value) && value.every(isOne);
const isPair = (value: unknown): value is readonly [unknown, unknown] => Array.isArray(value) && value.length === 2;
const isId = (value: unknown): value is string => typeof value === "string";
const isCounted = (value: unknown): value is readonly [string, number] =>
  isPair(value) && isId(value[0]) && Number.isSafeInteger(value[1]) && (value[1] as number) >= 0;
const isKeyed = (value: unknown): value is readonly [string, string] =>
  isPair(value) && isId(value[0]) && isId(value[1]);

const environment = (id: string): string => `env_${id}`;
const bare = (id: string): string => id.slice(id.indexOf("_") + 1);
