import type { CapstanClient } from "../client/client.ts";
import { wait } from "../client/wait.ts";
import { LIMITS } from "../contract/limits.ts";
import type { Work } from "../contract/shapes.ts";
import { classify, retryWaitMs } from "./failures.ts";
import type { Slots } from "./slots.ts";

/** How long the server is asked to hold a poll back; with every poll, a worker shows that it is there. */
const WAIT_SECONDS = Math.min(25, LIMITS.preferWaitSeconds.max);

/** A server that answers "nothing" at once (a paused worker, one that is draining) is not asked in a tight loop. */
const NOTHING_FLOOR_MS = 1_000;

/** What an answer may take beyond the wait that was asked for. */
const ANSWER_WITHIN_MS = 15_000;

export interface PollLoopParts {
  readonly client: CapstanClient;
  readonly environmentId: string;
  readonly workerId: string;
  readonly slots: Slots;
  /** Starts with an item; returns at once. */
  readonly take: (work: Work) => void;
  readonly onPolled: () => void;
  readonly onFailure: (failure: unknown, waitMs: number) => void;
}

/**
 * Polls whenever a slot is free, again at once after every item, until the signal is aborted. Failures that pass are
 * survived for ever; a final one is thrown.
 */
export async function pollLoop(parts: PollLoopParts, signal: AbortSignal): Promise<void> {
  let failures = 0;
  for (;;) {
    await parts.slots.untilFree(signal);
    if (signal.aborted) return;
    let pauseMs = 0;
    try {
      const askedAt = performance.now();
      const work = await poll(parts, signal);
      failures = 0;
      parts.onPolled();
      // Aborted just now: the item was not acknowledged, so it is delivered to another worker.
      if (signal.aborted) return;
      if (work !== null) parts.take(work);
      else pauseMs = NOTHING_FLOOR_MS - (performance.now() - askedAt);
    } catch (failure) {
      if (signal.aborted) return;
      if (classify(failure) === "final") throw failure;
      pauseMs = retryWaitMs(failure, failures);
      failures += 1;
      parts.onFailure(failure, pauseMs);
    }
    if (pauseMs > 0) await wait(pauseMs, signal).catch(() => {});
  }
}

function poll({ client, environmentId, workerId }: PollLoopParts, signal: AbortSignal): Promise<Work | null> {
  return client.pollWork(
    { environment_id: environmentId, worker_id: workerId, prefer: `wait=${WAIT_SECONDS}` },
    { signal, timeoutMs: ANSWER_WITHIN_MS, maxRetries: 0 },
  );
}
