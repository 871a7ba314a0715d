import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { CapstanClient } from "../client/client.ts";
import { ApiError } from "../client/errors.ts";
import { TTL_SECONDS } from "../core/lease.ts";
import type { Report } from "./events.ts";
import { persist } from "./failures.ts";
import type { HandOut } from "./hand-out.ts";
import type { Handler } from "./handler.ts";
import type { SessionOutcome } from "./item-end.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { SessionRun, type TakenOverLease } from "./session-run.ts";
import { catchStrayErrors } from "./stray-errors.ts";

export interface AttachOptions {
  readonly baseUrl: string;
  /** Of the hand-out that is taken over. */
  readonly workToken: string;
  readonly environmentId: string;
  readonly workId: string;
  /** The item's last heartbeat, as far as it is known. */
  readonly lastHeartbeat?: string | undefined;
  readonly handler: Handler;
  readonly workspaceRoot: string;
  readonly maxIdleSeconds?: number | undefined;
  readonly maxTurnSeconds?: number | undefined;
  /** Default 20. */
  readonly graceSeconds?: number | undefined;
  /** Default 60. */
  readonly ttlSeconds?: number | undefined;
  readonly onEvent?: Report | undefined;
  readonly userAgent?: string | undefined;
}

/** One session that this process has been handed. */
export interface Attachment {
  /**
   * Takes the lease over, runs the session and ends its item.
   *
   * @throws ApiError when the server refuses: the hand-out is over, or was never meant for this process
   */
  run(): Promise<SessionOutcome>;
  /** Lets the handler finish what it is at for the grace period, then gives the session back. */
  drain(): void;
  /** Ends the session at once and gives it back. */
  abort(): void;
}

/** How often the value of a heartbeat may have changed before it was named: each worker's beat in between is one time. */
const TAKE_OVER_TRIES = 10;
const CALL_TIMEOUT_MS = 10_000;
const LAST_GRACE_MS = 2_000;

/** Makes this process the holder of an item whose lease was handed over to it. */
export const attach = (options: AttachOptions): Attachment => new AttachedSession(options);

class AttachedSession implements Attachment {
  readonly #options: AttachOptions;
  readonly #starting = new AbortController();
  readonly #graceSeconds: number;
  #run: SessionRun | undefined;
  #over = false;
  #graceTimer: NodeJS.Timeout | undefined;

  constructor(options: AttachOptions) {
    this.#options = options;
    this.#graceSeconds = options.graceSeconds ?? 20;
  }

  async run(): Promise<SessionOutcome> {
    const { baseUrl, workToken, environmentId, userAgent = "capstan-worker", ...options } = this.#options;
    const ids = { environment_id: environmentId, work_id: options.workId };
    const client = new CapstanClient({ baseUrl, userAgent, token: workToken });
    const { signal } = this.#starting;
    const call = { signal, timeoutMs: CALL_TIMEOUT_MS, maxRetries: 0 };
    const work = await persist(() => client.getWork(ids, call), signal);
    const held = { work, token: workToken, client };
    const ttlSeconds = options.ttlSeconds ?? TTL_SECONDS.default;
    const lease = await takeOver(held, options.lastHeartbeat, ttlSeconds, signal);
    const keeper = new LeaseKeeper({ baseUrl, userAgent, environmentId });
    const letGo = catchStrayErrors();
    try {
      const report: Report = options.onEvent ?? (() => {});
      const parts = {
        ...{ environmentId, keeper, ttlSeconds, report, graceSeconds: this.#graceSeconds, onIdle: () => {} },
        ...{ handler: options.handler, workspaceRoot: resolve(options.workspaceRoot) },
        ...{ maxIdleSeconds: options.maxIdleSeconds ?? 60, maxTurnSeconds: options.maxTurnSeconds },
      };
      this.#run = new SessionRun(held, parts, lease);
      await keeper.start();
      return await this.#run.run();
    } finally {
      this.#over = true;
      clearTimeout(this.#graceTimer);
      letGo();
      await keeper.close();
    }
  }

  drain(): void {
    if (this.#over) return;
    this.#starting.abort(new Error("This process was told to end before it had the lease."));
    this.#run?.closeInput();
    this.#graceTimer = setTimeout(() => this.#run?.shutDown(LAST_GRACE_MS), this.#graceSeconds * 1_000);
  }

  abort(): void {
    this.#starting.abort(new Error("This process was told to end before it had the lease."));
    clearTimeout(this.#graceTimer);
    this.#run?.shutDown(0);
  }
}

/**
 * The first heartbeat of the new holder. The former one goes on beating until what it started has returned, so the value
 * that this process was told may be an older one; the token shows that both act for the same hand-out.
 */
async function takeOver(
  { client, work }: HandOut,
  lastHeartbeat: string | undefined,
  ttlSeconds: number,
  signal: AbortSignal,
): Promise<TakenOverLease> {
  const ids = { environment_id: work.environment_id, work_id: work.id };
  const call = { signal, timeoutMs: CALL_TIMEOUT_MS, maxRetries: 0 };
  let expected = lastHeartbeat ?? work.latest_heartbeat_at ?? "NO_HEARTBEAT";
  for (let attempt = 1; ; attempt += 1) {
    const sentAtMs = performance.now();
    const input = { ...ids, expected_last_heartbeat: expected, desired_ttl_seconds: ttlSeconds };
    const beat = { ...input, idempotency_key: randomUUID() };
    try {
      const answer = await persist(() => client.heartbeatWork(beat, call), signal);
      return {
        lastHeartbeat: answer.last_heartbeat,
        endsInMs: answer.ttl_seconds * 1_000 - (performance.now() - sentAtMs),
      };
    } catch (failure) {
      if (!(failure instanceof ApiError) || failure.status !== 412 || attempt === TAKE_OVER_TRIES) throw failure;
      const newest = await persist(() => client.getWork(ids, call), signal);
      expected = newest.latest_heartbeat_at ?? "NO_HEARTBEAT";
    }
  }
}
