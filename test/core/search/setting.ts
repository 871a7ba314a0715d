import type { QueuePolicy } from "../../../src/core/records.ts";
import { SECOND } from "../support/items.ts";

export const WORKERS = ["w1", "w2"] as const;
export type WorkerId = (typeof WORKERS)[number];

/** Small and all different, so that no two deadlines ever fall together by accident. */
export const POLICY: QueuePolicy = { maxAttempts: 3, startSeconds: 20, drainSeconds: 45 };
export const TTL_SECONDS = 30;
export const WINDOW = 5 * SECOND;
export const RELEASE_DELAY_MS = 2_000;
