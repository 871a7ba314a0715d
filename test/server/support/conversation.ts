import type { SessionEvent } from "../../../src/contract/shapes.ts";
import { type Api, ok } from "./api.ts";

export interface Pace {
  readonly eventsPerCall: number;
  /** The longest pause of a sender between two calls. */
  readonly pauseMs: number;
}

/** Sends so many events in calls of random sizes, some of them large, from several callers at once. */
export async function converse(
  api: Api,
  sessionId: string,
  count: number,
  { eventsPerCall, pauseMs }: Pace,
  random: () => number,
): Promise<void> {
  let left = count;
  const sender = async () => {
    while (left > 0) {
      const size = Math.min(left, 1 + Math.floor(random() * eventsPerCall));
      left -= size;
      ok(
        await api.send(
          sessionId,
          Array.from({ length: size }, (_, index) => message(random, `${left} ${index}`)),
        ),
      );
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, random() * pauseMs));
    }
  };
  await Promise.all([sender(), sender(), sender()]);
}

/** Now and then one that fills more than a packet, so that connections break in the middle of frames. */
function message(random: () => number, name: string) {
  const text = random() < 0.01 ? `${name} ${"Ä€😀 ".repeat(Math.floor(random() * 10_000))}` : name;
  return { type: "system.message", content: [{ type: "text", text }] };
}

/** All events of a session, page after page. */
export async function allEvents(api: Api, sessionId: string): Promise<SessionEvent[]> {
  const events: SessionEvent[] = [];
  for (;;) {
    const last = events.at(-1)?.id;
    const query = { limit: 1_000, ...(last === undefined ? {} : { after_id: last }) };
    const path = `/sessions/${sessionId}/events`;
    const page = ok(await api.server.call<{ data: SessionEvent[]; has_more: boolean }>("GET", path, { query }));
    events.push(...page.data);
    if (!page.has_more) return events;
  }
}
