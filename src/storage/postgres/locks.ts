import type { Changes, Needs } from "../../core/unit.ts";

/** Rows that a batch wants to change and has not locked, by id. */
export interface MissingLocks {
  readonly environments: readonly string[];
  readonly sessions: readonly string[];
  readonly works: readonly string[];
  readonly agents: readonly string[];
}

/**
 * What a batch locks, and in which order. Every transaction of every server takes its locks in this one order, and waits
 * for none outside of it, so that no two can wait for each other:
 *
 * 1. environments, by the number that stands for each: shared to add a session, alone to change or delete one
 * 2. sessions, by id
 * 3. items, by id; after them retired items, by id
 * 4. tokens, by id
 * 5. agents, by id
 * 6. entries of `poller`, by key, while writing
 *
 * Claims, sweeps and housekeeping take rows wherever they are, but never wait for one (`SKIP LOCKED`).
 *
 * Not everything that is read is locked. An item's state is changed by whoever holds its row, an event is appended by
 * whoever holds the session's row, and what only reads the other row reads it without a lock: a heartbeat need not wait
 * for a message, and a message never keeps an item from being claimed. When a batch turns out to change a row that it has
 * not locked, it takes the lock if that is free, and is decided again; else it begins anew with that row locked in turn.
 */
export class Locks {
  readonly environments = new Set<string>();
  readonly sessions: Set<string>;
  readonly works: Set<string>;
  readonly tokens: ReadonlySet<string>;
  readonly agents = new Set<string>();

  constructor(needs: Needs) {
    for (const id of needs.sessionCounts) this.environments.add(id);
    this.sessions = new Set(needs.sessions);
    this.works = new Set(needs.works);
    this.tokens = needs.tokens;
  }

  /** Adds what a batch wants to change without having locked it. Returns what that is, or `undefined` for nothing. */
  extend(changes: Changes, locked: (id: string) => boolean): MissingLocks | undefined {
    const missing = { environments: [], sessions: [], works: [], agents: [] } as {
      [K in keyof MissingLocks]: string[];
    };
    let any = false;
    for (const kind of ["environments", "sessions", "works", "agents"] as const) {
      for (const id of changes[kind].keys()) {
        if (changes.created.has(id) || locked(id)) continue;
        missing[kind].push(id);
        this[kind].add(id);
        any = true;
      }
    }
    return any ? missing : undefined;
  }
}

/** Sets environments apart from other users of advisory locks in the same database: "capstan" as a number. */
export const ENVIRONMENT_LOCKS = 0x63617073;

/**
 * The number that stands for an environment, from the random end of its id. Two that share a number wait for each other
 * now and then, and nothing else happens.
 */
export const environmentKey = (id: string): number => Number.parseInt(id.slice(-8), 16) | 0;
