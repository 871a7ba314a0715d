import { beforeAll, expect, test } from "vitest";
import { CapstanClient, type SessionEvent } from "../../src/client/index.ts";
import { unknownId } from "../server/support/api.ts";
import { ensureBuilt } from "../support/build.ts";
import { folderForTest, startForTest } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";

const EVENTS = 10_000;
const PER_CALL = 50;
const KILLS = 4;

beforeAll(ensureBuilt, 150_000);

/** A server process that dies without a word and comes back on its data and its port. */
async function mortalServer() {
  const CAPSTAN_DATA_DIR = folderForTest();
  const CAPSTAN_ADMIN_TOKEN = "a".repeat(40);
  let port = "0";
  const start = async () => {
    const server = startForTest(["serve", "--port", port, "--log-level", "error"], {
      env: { CAPSTAN_DATA_DIR, CAPSTAN_ADMIN_TOKEN },
    });
    const [, url = ""] = await server.find(/listens on (\S+)/);
    port = new URL(url).port;
    return { url, ...server };
  };
  let running = await start();
  return {
    client: new CapstanClient({ baseUrl: running.url, token: CAPSTAN_ADMIN_TOKEN, maxRetries: 10 }),
    async pullThePlug() {
      running.child.kill("SIGKILL");
      await running.ended;
      running = await start();
    },
  };
}

test("pulling the server's plug in a conversation of 10,000 events loses and repeats none for whoever resumes", async () => {
  const { client, pullThePlug } = await mortalServer();
  const environment = await client.createEnvironment({ name: "e", config: { type: "self_hosted" } });
  const { id } = await client.createSession({ environment_id: environment.id });
  const heard: string[] = [];
  const stop = new AbortController();
  const following = (async () => {
    const from = { session_id: id, after_id: unknownId("evt_") };
    for await (const event of client.streamEvents(from, { signal: stop.signal })) heard.push(event.id);
  })();
  const accepted: string[] = [];
  const kills: Promise<void>[] = [];
  while (accepted.length < EVENTS) {
    const events = Array.from({ length: PER_CALL }, (_, index) => message(`${accepted.length + index}`));
    const due = kills.length < KILLS && accepted.length >= ((kills.length + 1) * EVENTS) / (KILLS + 1);
    const sending = client.sendEvents({ session_id: id, events });
    if (due) kills.push(pullThePlug());
    // A call whose answer was lost is made anew: it may have been accepted, and then its events are there twice.
    await sending.then(
      ({ data }) => accepted.push(...idsOf(data)),
      (failure) => expect(failure.name).toBe("ConnectionError"),
    );
    await kills.at(-1);
  }
  const all: string[] = [];
  for await (const event of client.paginate("listEvents", { session_id: id, limit: 1_000 })) all.push(event.id);
  await eventually(() => expect(heard.at(-1)).toBe(all.at(-1)), 60_000);
  expect(heard.length).toBe(all.length);
  expect(heard.every((event, index) => event === all[index])).toBe(true);
  const known = new Set(all);
  expect(accepted.filter((event) => !known.has(event))).toEqual([]);
  expect(kills).toHaveLength(KILLS);
  stop.abort();
  await expect(following).rejects.toBe(stop.signal.reason);
}, 180_000);

const message = (text: string) => ({ type: "system.message", content: [{ type: "text", text }] });
const idsOf = (events: readonly SessionEvent[]): string[] => events.map(({ id }) => id);
