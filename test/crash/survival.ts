import type { Work } from "../../src/contract/shapes.ts";
import { byItem, type Recorded, type Violation } from "../support/history.ts";

/**
 * Compares what is there right after a restart, before anybody goes on, with the last answer that anybody got: it has to
 * be exactly that, unless a call was under way that may have taken effect without an answer.
 */
export function survival(calls: readonly Recorded[], works: readonly Work[]): Violation[] {
  const byId = new Map(works.map((work) => [work.id, work]));
  const found: Violation[] = [];
  for (const { id, calls: own, accepted } of byItem(calls)) {
    const last = accepted
      .filter(({ verb }) => verb !== "poll")
      .sort((a, b) => a.end - b.end)
      .at(-1);
    if (last === undefined || own.some((call) => call.status === 0 && call.start > last.start)) {
      continue;
    }
    const kept = byId.get(id);
    const { work, beat } = last;
    const same =
      work === null
        ? kept?.latest_heartbeat_at === beat?.last_heartbeat && kept?.state === beat?.state
        : JSON.stringify(kept) === JSON.stringify(work);
    if (same) continue;
    const message = `answered ${JSON.stringify(work ?? beat)} before the kill, and is ${JSON.stringify(kept)} after it`;
    found.push({ check: "survival", item: id, message });
  }
  return found;
}
