import type { Session, Work, WorkHeartbeat } from "../../src/contract/shapes.ts";
import type { Answer } from "./server.ts";

/** Calls that the checks know; the rest of an API may be called as well and is not recorded. */
export type Verb = "create" | "poll" | "get" | "update" | "ack" | "heartbeat" | "stop" | "release";

/** What was sent, as far as a check needs it. */
export interface Sent {
  /** The `Worker-ID`. */
  readonly worker?: string;
  /** `expected_last_heartbeat`. */
  readonly expected?: string;
  /** The caller declared a repeated heartbeat. */
  readonly retry?: boolean;
  readonly force?: boolean;
  /** `reclaim_older_than_ms` of a poll. */
  readonly windowMs?: number;
}

/** One call: what was sent, what came back, and between which two instants it took effect. */
export interface Recorded {
  readonly verb: Verb;
  readonly environment: string;
  /** The item that was called or answered; `null` for a poll that brought none, and for a new session. */
  readonly item: string | null;
  /** The session that was made, or that the answered item belongs to. */
  readonly session: string | null;
  readonly sent: Sent;
  /** Milliseconds of one steady clock; every call has a start of its own and an end of its own. */
  readonly start: number;
  readonly end: number;
  /** 0 where no answer came: such a call took effect at any time after its start, or never. */
  readonly status: number;
  /** The item, where a call was answered with one. */
  readonly work: Work | null;
  readonly beat: WorkHeartbeat | null;
}

/** Records calls as they are made. Its clock never stands still, so that no two instants are equal. */
export class History {
  readonly calls: Recorded[] = [];
  #last = 0;

  instant(): number {
    this.#last = Math.max(this.#last + 1e-6, performance.now());
    return this.#last;
  }

  /** Makes a call and records it, whatever comes of it. */
  async record<T>(
    call: Pick<Recorded, "verb" | "environment" | "item" | "sent">,
    make: () => Promise<Answer<T>>,
  ): Promise<Answer<T>> {
    const start = this.instant();
    const answer = await make().catch((error) => {
      this.calls.push({
        ...call,
        session: null,
        start,
        end: Number.POSITIVE_INFINITY,
        status: 0,
        work: null,
        beat: null,
      });
      throw error;
    });
    const end = this.instant();
    const work = isWork(answer.body) ? answer.body : null;
    const beat = isBeat(answer.body) ? answer.body : null;
    const session = work?.data.id ?? (isSession(answer.body) ? answer.body.id : null);
    this.calls.push({ ...call, item: work?.id ?? call.item, session, start, end, status: answer.status, work, beat });
    return answer;
  }
}

const isWork = (body: unknown): body is Work => (body as Work | null)?.type === "work";
const isSession = (body: unknown): body is Session => (body as Session | null)?.type === "session";
const isBeat = (body: unknown): body is WorkHeartbeat => (body as WorkHeartbeat | null)?.type === "work_heartbeat";

/** What one item went through: its calls in the order in which they were begun. */
export interface ItemHistory {
  readonly id: string;
  readonly calls: readonly Recorded[];
  /** The same, without what was refused. */
  readonly accepted: readonly Recorded[];
}

export interface Rules {
  /** No lease was allowed to end during the run, so that only a release gives an item to another owner. */
  readonly lapses: "never" | "possible";
  /** How much faster than the recorder's clock the store's may run. */
  readonly clockTolerance?: number;
}

export interface Violation {
  readonly check: string;
  readonly item: string;
  readonly message: string;
}

export function byItem(calls: readonly Recorded[]): ItemHistory[] {
  const found = new Map<string, Recorded[]>();
  for (const call of [...calls].sort((a, b) => a.start - b.start)) {
    if (call.item === null) continue;
    const known = found.get(call.item);
    if (known === undefined) found.set(call.item, [call]);
    else known.push(call);
  }
  return [...found].map(([id, own]) => ({ id, calls: own, accepted: own.filter((call) => call.status === 200) }));
}

/** Whether `a` took effect before `b`, whatever happened in between. */
export const precedes = (a: Recorded, b: Recorded): boolean => a.end < b.start;

export const of = (history: ItemHistory, ...verbs: Verb[]): Recorded[] =>
  history.accepted.filter((call) => verbs.includes(call.verb));

/** Releases that took effect, or may have. */
export const releases = (history: ItemHistory): Recorded[] =>
  history.calls.filter((call) => call.verb === "release" && (call.status === 200 || call.status === 0));

/** All pairs of two different calls whose first took effect before the second. */
export function* ordered(first: readonly Recorded[], second = first): Generator<[Recorded, Recorded]> {
  for (const a of first) for (const b of second) if (a !== b && precedes(a, b)) yield [a, b];
}
