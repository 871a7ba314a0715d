import type { Value } from "../rows/index.ts";
import { StoreUnavailable } from "../store.ts";
import { type ConnectionOptions, Connections } from "./connection.ts";
import { unavailable } from "./errors.ts";
import type { Query } from "./lists.ts";
import type { Sql } from "./sql.ts";

/** The one place where statements outside of batches are run, and a driver's error becomes one of ours. */
export class Reading {
  readonly #connections: Connections;
  readonly #maxWaiting: number;
  #open = true;

  constructor(connection: ConnectionOptions) {
    const { poolSize, maxBatches, maxWaitingReads } = connection.limits;
    this.#connections = new Connections(connection, poolSize - maxBatches);
    this.#maxWaiting = maxWaitingReads;
  }

  async query(text: string, values: readonly Value[]): ReturnType<Query> {
    if (!this.#open) throw new StoreUnavailable("The store is closed.");
    return this.#asked(() => this.#connections.query(text, values));
  }

  /** A statement that comes again and again, and gives nothing back. It may still come when reads are turned away. */
  run(statement: Sql, values: readonly Value[]): Promise<void> {
    return this.#asked(() => this.#connections.run(statement, values));
  }

  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#connections.waiting >= this.#maxWaiting) {
      throw new StoreUnavailable(`${this.#maxWaiting} reads wait for the database already.`);
    }
    try {
      return await ask();
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Turns new reads away. Those that are under way go on. */
  shut(): void {
    this.#open = false;
  }

  async close(): Promise<void> {
    this.shut();
    await this.#connections.close();
  }
}
