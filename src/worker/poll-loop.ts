import { wait } from "../client/wait.ts";
import { classify, retryWaitMs } from "./failures.ts";
import type { HandOut } from "./hand-out.ts";
import type { Slots } from "./slots.ts";

/** A server that answers "nothing" at once (a paused worker, one that is draining) is not asked in a tight loop. */
const NOTHING_FLOOR_MS = 1_000;

export interface PollLoopParts {
  readonly poll: (signal: AbortSignal) => Promise<HandOut | null>;
  readonly slots: Slots;
  /** Starts with an item. Resolves when it has begun, or cannot. */
  readonly take: (handOut: HandOut) => Promise<void>;
  readonly onPolled: () => void;
  readonly onFailure: (failure: unknown, waitMs: number) => void;
}

/**
 * Polls whenever there is room, again at once after every item, until the signal is aborted. Failures that pass are
 * survived for ever; a final one is thrown.
 */
export async function pollLoop(parts: PollLoopParts, signal: AbortSignal): Promise<void> {
  let failures = 0;
  for (;;) {
    await parts.slots.untilRoom(signal);
    if (signal.aborted) return;
    let pauseMs = 0;
    const asking = parts.slots.asking(signal);
    try {
      const askedAt = performance.now();
      const handOut = await parts.poll(asking.signal).finally(asking.end);
      failures = 0;
      parts.onPolled();
      // Aborted just now: the item was not acknowledged, so it is delivered to another worker.
      if (signal.aborted) return;
      if (handOut !== null) await parts.take(handOut);
      else pauseMs = NOTHING_FLOOR_MS - (performance.now() - askedAt);
    } catch (failure) {
      if (signal.aborted) return;
      if (asking.signal.aborted) continue;
      if (classify(failure) === "final") throw failure;
      pauseMs = retryWaitMs(failure, failures);
      failures += 1;
      parts.onFailure(failure, pauseMs);
    }
    if (pauseMs > 0) await wait(pauseMs, signal).catch(() => {});
  }
}
