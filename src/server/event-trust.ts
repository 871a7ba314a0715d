import type { EventReader } from "./event-reader.ts";
import type { Principal } from "./tokens.ts";

/**
 * Readers whose token was revoked, has expired, or was good for a hand-out that is over. Each caller is asked for once,
 * however many streams it has.
 *
 * @param trustMs readers that were looked at less than this ago are believed
 */
export async function noLongerAllowed(
  readers: Iterable<EventReader>,
  trustMs: number,
  stillAllowed: (principal: Principal) => Promise<boolean>,
): Promise<readonly EventReader[]> {
  const now = performance.now();
  const callers = new Map<string, { principal: Principal; readers: EventReader[] }>();
  for (const reader of readers) {
    if (now - reader.checkedAt < trustMs) continue;
    reader.checkedAt = now;
    const { principal } = reader;
    const key = principal.hash ?? `${principal.tokenId} ${principal.handOut?.number}`;
    const caller = callers.get(key);
    if (caller === undefined) callers.set(key, { principal, readers: [reader] });
    else caller.readers.push(reader);
  }
  if (callers.size === 0) return [];
  const checked = [...callers.values()].map(async ({ principal, readers: own }) =>
    (await stillAllowed(principal)) ? [] : own,
  );
  return (await Promise.all(checked)).flat();
}

/** Those whose token is good for one hand-out. */
export const ofHandOuts = (readers: Iterable<EventReader>): EventReader[] =>
  [...readers].filter(({ principal }) => principal.handOut !== undefined);
