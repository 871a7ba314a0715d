import { Agent, get, type IncomingMessage } from "node:http";
import { onTestFinished } from "vitest";
import { BASE_PATH } from "../../../src/contract/operations.ts";
import type { SessionEvent } from "../../../src/contract/shapes.ts";
import { eventually } from "../../support/eventually.ts";

/** What is asked of a server: any of the test servers, or one of them. */
export interface Streaming {
  readonly urls: readonly string[];
  readonly adminToken: string;
}

export interface StreamRequest {
  readonly lastEventId?: string | undefined;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** As it stands, after the `?`. */
  readonly query?: string;
  /** Which replica to ask; left out, they take turns. */
  readonly replica?: number;
  /** `events` instead of `events/stream`. */
  readonly path?: string;
  /** Takes nothing from the connection. */
  readonly deaf?: true;
}

/** One connection, and what has come over it, without any library between it and the test. */
export interface OpenStream {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  text(): string;
  comments(): number;
  events(): SessionEvent[];
  ids(): string[];
  /** Waits until so many events have come; gives their ids. */
  atLeast(count: number): Promise<string[]>;
  /** When the connection has ended, by whoever's doing. */
  readonly closed: Promise<void>;
  readonly isClosed: () => boolean;
  /** Begins to take what a deaf reader did not, at once or at a pace. */
  listen(pace?: { readonly bytes: number; readonly everyMs: number }): void;
  /** Waits until the server has closed the connection, without taking anything from it. */
  cutOff(): Promise<void>;
  hangUp(): void;
}

/** Each stream has a connection of its own, as browsers and our client give it. */
const agent = new Agent({ keepAlive: false, maxSockets: Number.POSITIVE_INFINITY });
let turn = 0;

/** Opens a stream, or whatever else the server answers. It is gone when the test has ended. */
export async function openStream(
  server: Streaming,
  sessionId: string,
  request: StreamRequest = {},
): Promise<OpenStream> {
  const { lastEventId, token = server.adminToken, headers = {}, query = "", path = "events/stream", deaf } = request;
  const url = server.urls[request.replica ?? turn++ % server.urls.length];
  const sent = {
    authorization: `Bearer ${token}`,
    ...(lastEventId === undefined ? {} : { "last-event-id": lastEventId }),
    ...headers,
  };
  const target = `${url}${BASE_PATH}/sessions/${sessionId}/${path}${query === "" ? "" : `?${query}`}`;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(target, { agent, headers: sent }, resolve).once("error", reject);
  });
  const received = new Blocks();
  let over = false;
  const closed = new Promise<void>((resolve) => {
    response.once("close", () => {
      over = true;
      resolve();
    });
  });
  // A reset is one of the ways in which a stream ends here.
  response.on("error", () => undefined);
  const listen: OpenStream["listen"] = (pace) => {
    let taken = 0;
    response.on("data", (bytes: Buffer) => {
      received.push(bytes);
      taken += bytes.length;
      if (pace === undefined || taken < pace.bytes) return;
      taken = 0;
      response.pause();
      setTimeout(() => response.resume(), pace.everyMs);
    });
  };
  if (deaf !== true) listen();
  onTestFinished(() => void response.destroy());
  const ids = () => [...received.ids];
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: () => received.text(),
    comments: () => received.blocks.filter((block) => block.startsWith(":")).length,
    events: () => received.blocks.flatMap(eventOf),
    ids,
    atLeast: (count) =>
      eventually(() => {
        if (received.ids.length >= count) return ids();
        throw new Error(
          `${received.ids.length} of ${count} events have come${over ? ", and the stream has ended" : ""}`,
        );
      }),
    closed,
    isClosed: () => over,
    listen,
    cutOff: () =>
      eventually(() => {
        // What has come and nobody reads keeps the response open after its connection.
        if (over || response.socket.destroyed) return;
        // A connection that is not read hears of its end only when it writes; between requests, this means nothing.
        response.socket.write("\r\n");
        throw new Error("The connection stands.");
      }),
    hangUp: () => void response.destroy(),
  };
}

/** What is separated by blank lines, taken apart as it comes: a large event costs its length once. */
class Blocks {
  readonly blocks: string[] = [];
  readonly ids: string[] = [];
  #rest: Buffer[] = [];

  push(bytes: Buffer): void {
    this.#rest.push(bytes);
    if (!bytes.includes("\n")) return;
    const all = Buffer.concat(this.#rest);
    // Cut between bytes, not characters: the last one may not be whole yet.
    const end = all.lastIndexOf("\n\n");
    for (const block of end < 0 ? [] : all.toString("utf8", 0, end).split("\n\n")) {
      this.blocks.push(block);
      const [, id] = /^id: (\S+)\n/.exec(block) ?? [];
      if (id !== undefined) this.ids.push(id);
    }
    this.#rest = [end < 0 ? all : all.subarray(end + 2)];
  }

  text(): string {
    return [...this.blocks, Buffer.concat(this.#rest).toString()].join("\n\n");
  }
}

/** The contract's shape of a frame is written out here, so that a change of it shows. */
function eventOf(block: string): SessionEvent[] {
  const [, id, type, data] = /^id: (\S+)\nevent: (\S+)\ndata: ([^\n]*)$/.exec(block) ?? [];
  if (data === undefined) return [];
  const event = JSON.parse(data) as SessionEvent;
  if (event.id !== id || event.type !== type) throw new Error(`The frame of ${id} (${type}) carries ${data}`);
  return [event];
}
