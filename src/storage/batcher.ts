import type { CommandDefinition } from "../core/commands/command.ts";
import { COMMANDS, type CommandInput, type CommandName, type CommandOutcome } from "../core/commands/index.ts";
import type { Outcome } from "../core/faults.ts";
import type { IdSource } from "../core/ids.ts";
import { type Changes, type Loaded, type Needs, type NextId, noNeeds, Unit } from "../core/unit.ts";
import { signalsOf } from "./signals.ts";
import { type CommitSignals, StoreUnavailable } from "./store.ts";

/** How an adapter runs one batch: read (and lock) what is needed, let `decide` judge, write its changes, commit durably. */
export interface Backend {
  /**
   * @throws StoreUnavailable when the database could not be used
   */
  transact(needs: Needs, decide: (loaded: Loaded) => Changes): void | Promise<void>;
}

interface Pending {
  readonly definition: CommandDefinition<unknown, unknown>;
  readonly input: unknown;
  readonly resolve: (outcome: Outcome<unknown>) => void;
  readonly reject: (error: Error) => void;
}

/** Called after each commit. */
type Emit = (signals: CommitSignals, changes: Changes) => void;

/** Most calls that share one commit. It bounds how long the first of them waits, and what one rollback repeats. */
export const MAX_BATCH = 512;
/** Most calls that may wait for a commit; beyond it callers are told to come back. */
export const MAX_PENDING = 20_000;
/**
 * As many calls are worth a batch beside the one that is under way, for a backend that can: this process then works while
 * the database does. Fewer calls wait for it to end, which costs less than a batch of their own: of what a small one costs a
 * server and its database, more than half does not depend on how many calls are in it. So servers that share the load of one,
 * and see fewer calls each, would pay for small batches what they gain by working side by side.
 */
export const WORTH_A_BATCH = 16;
/**
 * After this time a batch is taken to wait for something, such as a row that somebody else has locked, and the next one
 * starts beside it, however small. Most take a fraction of this.
 */
export const SLOW_BATCH_MS = 25;

/**
 * Group commit: calls that arrive while a commit is under way wait together and share the next one. No call waits for a
 * timer: an idle store commits a single call at the end of the turn of the event loop that brought it.
 */
export class Batcher {
  readonly #backend: Backend;
  readonly #nextId: NextId;
  readonly #emit: Emit;
  readonly #maxBatches: number;
  #pending: Pending[] = [];
  #scheduled = false;
  /** Batches under way. */
  #running = 0;
  /** Starts a batch beside those that are under way, should none of them end before. */
  #overtaking: NodeJS.Timeout | undefined;
  #closed = false;
  #idle: (() => void) | undefined;

  /** @param maxBatches how many batches may be under way at once, for a backend that can */
  constructor(backend: Backend, ids: IdSource, emit: Emit, maxBatches = 1) {
    this.#backend = backend;
    this.#nextId = (kind, now, above) => ids.next(kind, now, above);
    this.#emit = emit;
    this.#maxBatches = maxBatches;
  }

  execute<K extends CommandName>(name: K, input: CommandInput<K>): Promise<CommandOutcome<K>> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new StoreUnavailable("The store is closed."));
      if (this.#pending.length >= MAX_PENDING) {
        return reject(new StoreUnavailable(`${MAX_PENDING} calls wait for the database already.`));
      }
      this.#pending.push({
        definition: COMMANDS[name] as unknown as CommandDefinition<unknown, unknown>,
        input,
        resolve: resolve as (outcome: Outcome<unknown>) => void,
        reject,
      });
      this.#schedule();
    });
  }

  /** Refuses new calls and waits for those that were accepted. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#scheduled || this.#running > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  #schedule(): void {
    if (this.#scheduled || this.#running >= this.#maxBatches) return;
    if (this.#running > 0 && this.#pending.length < WORTH_A_BATCH) {
      this.#overtaking ??= setTimeout(() => this.#startNext(), SLOW_BATCH_MS);
    } else this.#startNext();
  }

  #startNext(): void {
    this.#forgetTimer();
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After the poll phase: every request that this turn of the loop read from its sockets is in the batch.
    setImmediate(() => this.#flush());
  }

  #forgetTimer(): void {
    clearTimeout(this.#overtaking);
    this.#overtaking = undefined;
  }

  #flush(): void {
    this.#scheduled = false;
    const batch = this.#pending;
    this.#pending = batch.splice(this.#sizeOfNext());
    this.#running += 1;
    const running = this.#run(batch);
    if (running === undefined) this.#ended();
    else {
      // One more turn of the loop: those who are answered now may be back with their next call in it.
      running.then(() => setImmediate(() => this.#ended()));
      if (this.#pending.length > 0) this.#schedule();
    }
  }

  #ended(): void {
    this.#running -= 1;
    this.#forgetTimer();
    if (this.#pending.length > 0) this.#schedule();
    else if (this.#running === 0 && !this.#scheduled) this.#idle?.();
  }

  /**
   * Half of those who wait, where the other half may start right behind it and both are worth it. Callers who are all
   * answered at once all come back at once: in a single batch they would leave this process idle while the database works,
   * and the database idle while this process does, for as long as the load lasts.
   */
  #sizeOfNext(): number {
    const { length } = this.#pending;
    const another = this.#running + 1 < this.#maxBatches && length >= 2 * WORTH_A_BATCH;
    return Math.min(another ? Math.ceil(length / 2) : length, MAX_BATCH);
  }

  /** Never throws or rejects: every outcome goes to the call that it belongs to. */
  #run(batch: readonly Pending[]): undefined | Promise<void> {
    const outcomes: Outcome<unknown>[] = [];
    let changes: Changes | undefined;
    const needs = noNeeds();
    const decide = (loaded: Loaded): Changes => {
      const unit = new Unit(loaded, this.#nextId);
      outcomes.length = 0;
      for (const call of batch) outcomes.push(call.definition.apply(unit, call.input));
      changes = unit.changes();
      return changes;
    };
    const committed = (): void => {
      for (const [index, call] of batch.entries()) call.resolve(outcomes[index] as Outcome<unknown>);
      if (changes !== undefined) this.#tell(changes);
    };
    try {
      for (const call of batch) call.definition.needs(call.input, needs);
      const running = this.#backend.transact(needs, decide);
      if (running !== undefined) return running.then(committed, (error) => this.#failed(batch, error));
    } catch (error) {
      return this.#failed(batch, error);
    }
    return void committed();
  }

  /** A listener that breaks is no failure of the batch: that is done, and must not be done again. */
  #tell(changes: Changes): void {
    try {
      this.#emit(signalsOf(changes), changes);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }

  /** One call that breaks must not fail those that shared its commit: everyone else is tried again alone. */
  #failed(batch: readonly Pending[], error: unknown): undefined | Promise<void> {
    if (error instanceof StoreUnavailable || batch.length === 1) {
      for (const call of batch) call.reject(error as Error);
      return undefined;
    }
    let chain: undefined | Promise<void>;
    for (const call of batch) {
      chain = chain === undefined ? this.#run([call]) : chain.then(() => this.#run([call]));
    }
    return chain;
  }
}
