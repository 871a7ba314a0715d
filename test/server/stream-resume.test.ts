/** No gap and no repeat, whatever becomes of connections and of signals. */
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { seeded } from "../support/random.ts";
import { startTestServer } from "../support/server.ts";
import { Api, unknownId } from "./support/api.ts";
import { allEvents, converse } from "./support/conversation.ts";
import { distant } from "./support/stores.ts";
import { openStream, type Streaming } from "./support/stream.ts";

const BEFORE_ALL = unknownId("evt_");
/** A new one each time, or that of a run which failed and is to be run again. */
const SEED = Number(process.env.CAPSTAN_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32));

/** Reads a session over many connections, each of which it gives up at a random moment; gives all ids that came. */
async function restless(
  server: Streaming,
  sessionId: string,
  { connections, openMs }: { connections: number; openMs: number },
  random: () => number,
  end: Promise<string>,
) {
  const seen: string[] = [];
  let over = false;
  let left = connections;
  end.then(() => {
    over = true;
  });
  while (left > 0 || !over) {
    left -= 1;
    const stream = await openStream(server, sessionId, { lastEventId: seen.at(-1) ?? BEFORE_ALL });
    await pause(random, openMs);
    stream.hangUp();
    seen.push(...stream.ids());
    // Its share of connections is used up: it waits for the last part of the conversation.
    if (left <= 0) await Promise.race([end, pause(random, 200)]);
  }
  const last = await end;
  const stream = await openStream(server, sessionId, { lastEventId: seen.at(-1) ?? BEFORE_ALL });
  await eventually(() => expect(stream.ids().at(-1) ?? seen.at(-1)).toBe(last), 60_000);
  stream.hangUp();
  return [...seen, ...stream.ids()];
}

const pause = (random: () => number, ms: number) =>
  random() < 0.2
    ? new Promise<void>((resolve) => setImmediate(resolve))
    : new Promise<void>((resolve) => setTimeout(resolve, random() * ms));

test.each([
  {
    over: "a database on this machine",
    ...{ events: 10_000, connections: 1_000, openMs: 10, pace: { eventsPerCall: 40, pauseMs: 0 } },
    wrap: undefined,
  },
  {
    over: "a distant database whose signals get lost",
    ...{ events: 3_000, connections: 400, openMs: 100, pace: { eventsPerCall: 6, pauseMs: 20 } },
    wrap: distant,
  },
])(
  "readers that come and go miss nothing and get nothing twice, over $over",
  async ({ events, connections, openMs, pace, wrap }) => {
    const random = seeded(SEED);
    const server = await startTestServer({
      streamKeepAliveMs: 100,
      ...(wrap === undefined ? {} : { wrapStore: wrap(random) }),
    });
    onTestFinished(() => server.stop());
    const api = new Api(server);
    const { id } = await api.session((await api.environment()).id, { initial_events: [] });
    const steady = await openStream(server, id, { lastEventId: BEFORE_ALL });
    const end = converse(api, id, events, pace, random).then(async () => (await allEvents(api, id)).at(-1)?.id ?? "");
    const readers = Array.from({ length: 10 }, () =>
      restless(server, id, { connections: connections / 10, openMs }, random, end),
    );
    const heard = await Promise.all(readers);
    const all = (await allEvents(api, id)).map((event) => event.id);
    expect(all).toHaveLength(events);
    for (const ids of heard) expect(sameOrder(ids, all), `CAPSTAN_TEST_SEED=${SEED}`).toBe("the same");
    expect(sameOrder(await steady.atLeast(events), all), `CAPSTAN_TEST_SEED=${SEED}`).toBe("the same");
    steady.hangUp();
    await eventually(async () => expect(await server.metric("capstan_event_streams_open")).toBe(0));
  },
  120_000,
);

/** Where two lists part, in words that fit on a line. */
function sameOrder(seen: readonly string[], all: readonly string[]): string {
  const at = all.findIndex((id, index) => seen[index] !== id);
  if (at < 0) return seen.length === all.length ? "the same" : `${seen.length - all.length} too many`;
  return `parted at ${at} of ${all.length}: ${seen[at]} came, which is ${all.indexOf(seen[at] ?? "")}`;
}
