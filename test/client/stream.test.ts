import type { ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { ApiError, CapstanClient, ConnectionError, type StreamOptions } from "../../src/client/index.ts";
import { BASE_PATH } from "../../src/contract/operations.ts";
import { eventually } from "../support/eventually.ts";
import { refusal, type Scripted, type SeenRequest, scriptedServer } from "../support/scripted-server.ts";

const STREAM = `${BASE_PATH}/sessions/s/events/stream`;
const frame = (id: string, text = id): string =>
  `id: ${id}\nevent: user.message\ndata: {"id":"${id}","text":"${text}"}\n\n`;

/** A stream that begins with these texts and then does as it is told. */
const streaming =
  (texts: readonly (string | Uint8Array)[], then: (response: ServerResponse) => void = (response) => response.end()) =>
  (response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    response.write("retry: 1\n\n");
    for (const text of texts) response.write(text);
    then(response);
  };

/** Leaves the connection open. */
const open = (): void => {};
const breaks = (response: ServerResponse): void => void setImmediate(() => response.destroy());

async function scripted(script: (index: number, request: SeenRequest) => Scripted) {
  const server = await scriptedServer((request, index) => script(index, request));
  onTestFinished(() => server.close());
  const client = new CapstanClient({ baseUrl: server.url, token: "cpt_test" });
  const follow = (options: StreamOptions = {}, after: string | undefined = "evt_0") =>
    client.streamEvents({ session_id: "s", after_id: after }, options);
  const cursors = () =>
    server.requests.filter(({ path }) => path === STREAM).map((seen) => seen.headers["last-event-id"]);
  return { server, client, follow, cursors };
}

/** The ids of the first events of a stream. */
async function take(stream: AsyncIterable<{ id: string }>, count: number): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of stream) {
    ids.push(id);
    if (ids.length === count) break;
  }
  return ids;
}

const failureOf = async (stream: AsyncIterable<{ id: string }>): Promise<unknown> =>
  take(stream, 100).then(
    (ids) => expect.fail(`the stream went on with ${ids}`),
    (failure) => failure,
  );

test("events are asked for as a stream, with the token, after the given event", async () => {
  const { server, follow } = await scripted(() => streaming([frame("evt_1")], open));
  expect(await take(follow(), 1)).toEqual(["evt_1"]);
  expect(server.requests[0]).toMatchObject({ method: "GET", path: STREAM });
  expect(server.requests[0]?.headers).toMatchObject({
    accept: "text/event-stream",
    authorization: "Bearer cpt_test",
    "last-event-id": "evt_0",
  });
});

test.each([
  ["ends", (response: ServerResponse) => void response.end()],
  ["breaks", breaks],
])("a connection that %s is made again, after the last event that was whole", async (_, then) => {
  const cut = frame("evt_3").slice(0, -2);
  const { follow, cursors } = await scripted((index) =>
    index === 0 ? streaming([frame("evt_1"), frame("evt_2"), cut], then) : streaming([frame("evt_3")], open),
  );
  expect(await take(follow(), 3)).toEqual(["evt_1", "evt_2", "evt_3"]);
  expect(cursors()).toEqual(["evt_0", "evt_2"]);
});

test("without an event to begin after, the stream begins after the newest, also when its first connection is lost", async () => {
  const { server, client, cursors } = await scripted((index) => {
    if (index === 0) return { json: { data: [{ id: "evt_7" }], first_id: "evt_7" } };
    return index === 1 ? streaming([], breaks) : streaming([frame("evt_8")], open);
  });
  expect(await take(client.streamEvents({ session_id: "s" }), 1)).toEqual(["evt_8"]);
  expect(Object.fromEntries(server.requests[0]?.query ?? [])).toEqual({ limit: "1", order: "desc" });
  expect(cursors()).toEqual(["evt_7", "evt_7"]);
});

test("in a session without events, the stream begins before all", async () => {
  const { client, cursors } = await scripted((index) =>
    index === 0 ? { json: { data: [], first_id: null } } : streaming([frame("evt_1")], open),
  );
  await take(client.streamEvents({ session_id: "s" }), 1);
  expect(cursors()).toEqual([`evt_${"0".repeat(32)}`]);
});

test.each([400, 401, 403, 404])("a %i ends the stream with the refusal", async (status) => {
  const { server, client, follow } = await scripted(() => refusal(status, "some_error", "no"));
  const failure = await failureOf(follow());
  expect(failure).toBeInstanceOf(ApiError);
  expect(failure).toMatchObject({ status, message: "no" });
  expect(await failureOf(client.streamEvents({ session_id: "s" }))).toMatchObject({ status });
  expect(server.requests).toHaveLength(2);
});

test.each([429, 500, 502, 503])("a %i is tried again", async (status) => {
  vi.spyOn(Math, "random").mockReturnValue(0);
  onTestFinished(() => void vi.restoreAllMocks());
  const { follow, cursors } = await scripted((index) =>
    index === 1 ? refusal(status, "x", "later") : streaming(index === 0 ? [frame("evt_1")] : [frame("evt_2")]),
  );
  expect(await take(follow(), 2)).toEqual(["evt_1", "evt_2"]);
  expect(cursors()).toEqual(["evt_0", "evt_1", "evt_1"]);
});

test("a refusal that names its time is tried again no sooner", async () => {
  const waits: number[] = [];
  const { follow } = await scripted((index) =>
    index === 0 ? refusal(503, "x", "later", { "retry-after": "1" }) : streaming([frame("evt_1")], open),
  );
  await take(follow({ onLost: (_, ms) => waits.push(ms) }), 1);
  expect(waits.map((ms) => ms >= 1_000)).toEqual([true]);
});

test("the server's hint bounds the wait, and failures in a row make it longer", async () => {
  vi.spyOn(Math, "random").mockReturnValue(1);
  onTestFinished(() => void vi.restoreAllMocks());
  const waits: number[] = [];
  const { follow } = await scripted((index) => {
    if (index === 0) return streaming(["retry: 8\n\n"]);
    return index < 4 ? refusal(503, "x", "later") : streaming([frame("evt_1")], open);
  });
  await take(follow({ onLost: (_, ms) => waits.push(ms) }), 1);
  expect(waits).toEqual([12, 20, 36, 68]);
});

test("a server that is not there yet is found when it is", async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  vi.spyOn(Math, "random").mockReturnValue(0);
  onTestFinished(() => void vi.restoreAllMocks());
  const late = createServer((_, response) => streaming([frame("evt_1")], open)(response));
  onTestFinished(() => {
    late.closeAllConnections();
    late.close();
  });
  const client = new CapstanClient({ baseUrl: `http://127.0.0.1:${port}`, token: "t" });
  const failures: unknown[] = [];
  const onLost = (failure: unknown) => {
    failures.push(failure);
    late.listen(port, "127.0.0.1");
  };
  expect(await take(client.streamEvents({ session_id: "s", after_id: "evt_0" }, { onLost }), 1)).toEqual(["evt_1"]);
  expect(failures[0]).toMatchObject({ name: "ConnectionError", code: "ECONNREFUSED" });
});

test("a connection without a byte counts as lost, one with comments does not", async () => {
  const failures: unknown[] = [];
  const { follow } = await scripted((index) => {
    if (index === 0) return streaming([frame("evt_1")], open);
    return streaming([], (response) => {
      let comments = 0;
      const timer = setInterval(() => {
        response.write(": keep-alive\n\n");
        comments += 1;
        if (comments < 12) return;
        clearInterval(timer);
        response.write(frame("evt_2"));
      }, 20);
    });
  });
  expect(await take(follow({ silenceMs: 150, onLost: (failure) => failures.push(failure) }), 2)).toEqual([
    "evt_1",
    "evt_2",
  ]);
  expect(failures).toMatchObject([{ name: "ConnectionError", code: "SILENT" }]);
});

test("a request that is never answered counts as lost", async () => {
  const { follow, cursors } = await scripted((index) => (index === 0 ? open : streaming([frame("evt_1")], open)));
  vi.spyOn(Math, "random").mockReturnValue(0);
  onTestFinished(() => void vi.restoreAllMocks());
  expect(await take(follow({ silenceMs: 50 }), 1)).toEqual(["evt_1"]);
  expect(cursors()).toHaveLength(2);
});

test("a caller that takes its time with an event does not lose the connection", async () => {
  const { follow, cursors } = await scripted(() => streaming([frame("evt_1"), frame("evt_2")], open));
  for await (const { id } of follow({ silenceMs: 40 })) {
    if (id === "evt_2") break;
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
  expect(cursors()).toHaveLength(1);
});

test("leaving the loop closes the connection", async () => {
  let closed = false;
  const { follow } = await scripted(() => (response) => {
    response.once("close", () => {
      closed = true;
    });
    streaming([frame("evt_1")], open)(response);
  });
  await take(follow(), 1);
  await eventually(() => expect(closed).toBe(true));
});

test("aborting ends a stream that waits for an event, with the caller's reason", async () => {
  const stop = new AbortController();
  const reason = new Error("enough");
  const { follow } = await scripted(() => streaming([], open));
  const failure = failureOf(follow({ signal: stop.signal, onOpen: () => stop.abort(reason) }));
  expect(await failure).toBe(reason);
});

test("aborting ends a stream between two connections, and one that has not begun", async () => {
  const stop = new AbortController();
  const reason = new Error("enough");
  const { server, follow } = await scripted(() => refusal(503, "x", "later"));
  expect(await failureOf(follow({ signal: stop.signal, onLost: () => stop.abort(reason) }))).toBe(reason);
  expect(server.requests).toHaveLength(1);
  expect(await failureOf(follow({ signal: stop.signal }))).toBe(reason);
  expect(server.requests).toHaveLength(1);
});

test.each([
  ["a page", (response: ServerResponse): void => void response.end("<html>"), "it is nothing, no event stream"],
  ["an event that is not JSON", streaming(["data: {\n\n"], open), "an event is not JSON"],
] as const)("%s from somebody else ends the stream", async (_, script, why) => {
  const { server, follow } = await scripted(() => script);
  const failure = await failureOf(follow());
  expect(failure).toBeInstanceOf(ConnectionError);
  expect(failure).toMatchObject({ code: "UNUSABLE_ANSWER", message: expect.stringContaining(why) });
  expect(server.requests).toHaveLength(1);
});

test("each connection is told of, and each loss", async () => {
  const told: string[] = [];
  const { follow } = await scripted((index) => streaming([frame(`evt_${index + 1}`)]));
  const onLost = (failure: unknown) => told.push(`lost ${failure}`);
  for await (const { id } of follow({ onOpen: () => told.push("open"), onLost })) {
    told.push(id);
    if (id === "evt_2") break;
  }
  expect(told).toEqual(["open", "evt_1", "lost undefined", "open", "evt_2"]);
});

test("characters that are cut between two chunks stay whole", async () => {
  const bytes = new TextEncoder().encode(frame("evt_1", "Ä€😀"));
  const { follow } = await scripted(() => (response) => {
    streaming([], async () => {
      for (const byte of bytes) {
        response.write(Uint8Array.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })(response);
  });
  for await (const event of follow()) {
    expect(event.text).toBe("Ä€😀");
    break;
  }
});

test("a wrong input is refused before anything is sent", async () => {
  const { server, client } = await scripted(() => ({ json: {} }));
  expect(() => client.streamEvents({ session_id: "" })).toThrow("streamEvents needs session_id");
  expect(server.requests).toHaveLength(0);
});
