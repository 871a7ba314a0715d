import { afterEach, expect, test } from "vitest";
import { type CommitSignals, NO_SIGNALS, type Store } from "../../src/storage/store.ts";
import { eventually } from "../support/eventually.ts";
import { startTestServer, type TestServer } from "../support/server.ts";
import { Api, MESSAGE, ok } from "./support/api.ts";
import { around } from "./support/stores.ts";
import { openStream } from "./support/stream.ts";

let server: TestServer;
afterEach(() => server.stop());

/**
 * Stores whose commits tell nobody of anything; what listeners hear is up to the test.
 *
 * @param looked awaited between each look at a queue and its answer
 */
function deafStores(looked = async (): Promise<void> => undefined) {
  const listeners = new Set<(signals: CommitSignals) => void>();
  const wrapStore = (store: Store): Store =>
    around(store, {
      onCommit: () => (listener: never) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      execute:
        (execute) =>
        async (...call: unknown[]) => {
          const outcome = await execute(...call);
          if (call[0] === "poll") await looked();
          return outcome;
        },
    });
  const say = (signals: CommitSignals) => {
    for (const listener of listeners) listener(signals);
  };
  return { wrapStore, say };
}

test.each(["lost", "routine"] as const)(
  "a waiting poll whose wake-up was lost looks again when told: %s",
  async (resync) => {
    const { wrapStore, say } = deafStores();
    server = await startTestServer({ wrapStore });
    const api = new Api(server);
    const environment = (await api.environment()).id;
    const waiting = api.poll(environment, { headers: { prefer: "wait=60" } });
    await eventually(async () => expect(await server.metric("capstan_polls_parked")).toBe(1));
    const session = await api.session(environment);
    say({ ...NO_SIGNALS, resync });
    expect(ok(await waiting)?.data.id).toBe(session.id);
  },
);

test("a poll that is told to look again while its look is under way looks again after that", async () => {
  let looks = 0;
  let answer: () => void = () => undefined;
  const { wrapStore, say } = deafStores(() => {
    looks += 1;
    return looks > 1 ? Promise.resolve() : new Promise((resolve) => (answer = resolve));
  });
  server = await startTestServer({ wrapStore });
  const api = new Api(server);
  const environment = (await api.environment()).id;
  const waiting = api.poll(environment, { headers: { prefer: "wait=60" } });
  await eventually(() => expect(looks).toBe(1));
  const session = await api.session(environment);
  say({ ...NO_SIGNALS, resync: "lost" });
  // Timers fire in order: what the signal has set off has run by then.
  await new Promise((resolve) => setTimeout(resolve, 10));
  answer();
  expect(ok(await waiting)?.data.id).toBe(session.id);
});

test("a stream whose news was lost reads again when told", async () => {
  const { wrapStore, say } = deafStores();
  server = await startTestServer({ wrapStore });
  const api = new Api(server);
  const session = await api.session((await api.environment()).id, { initial_events: [] });
  const stream = await openStream(server, session.id);
  const told = async (): Promise<string[]> => {
    say({ ...NO_SIGNALS, resync: "lost" });
    return stream.atLeast(1);
  };
  const { data } = ok(await api.send(session.id, [MESSAGE]));
  expect(await told()).toContain(data[0]?.id);
});
