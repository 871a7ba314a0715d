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
  /** Begins to take what a deaf reader did not. */
  listen(): void;
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
  const pieces: Buffer[] = [];
  let over = false;
  const closed = new Promise<void>((resolve) => {
    response.once("close", () => {
      over = true;
      resolve();
    });
  });
  // A reset is one of the ways in which a stream ends here.
  response.on("error", () => undefined);
  const listen = () => void response.on("data", (bytes) => pieces.push(bytes)).resume();
  if (deaf !== true) listen();
  onTestFinished(() => void response.destroy());
  const text = () => {
    const whole = Buffer.concat(pieces);
    pieces.splice(0, pieces.length, whole);
    return whole.toString();
  };
  const blocks = () => text().split("\n\n").slice(0, -1);
  const ids = () => blocks().flatMap((block) => /^id: (\S+)\n/.exec(block)?.[1] ?? []);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    comments: () => blocks().filter((block) => block.startsWith(":")).length,
    events: () => blocks().flatMap(eventOf),
    ids,
    atLeast: (count) =>
      eventually(() => {
        const found = ids();
        if (found.length >= count) return found;
        throw new Error(`${found.length} of ${count} events have come${over ? ", and the stream has ended" : ""}`);
      }),
    closed,
    isClosed: () => over,
    listen,
    cutOff: () =>
      eventually(() => {
        if (over) return;
        // A connection that is not read hears of its end only when it writes; between requests, this means nothing.
        response.socket.write("\r\n");
        throw new Error("The connection stands.");
      }),
    hangUp: () => void response.destroy(),
  };
}

/** The contract's shape of a frame is written out here, so that a change of it shows. */
function eventOf(block: string): SessionEvent[] {
  const [, id, type, data] = /^id: (\S+)\nevent: (\S+)\ndata: ([^\n]*)$/.exec(block) ?? [];
  if (data === undefined) return [];
  const event = JSON.parse(data) as SessionEvent;
  if (event.id !== id || event.type !== type) throw new Error(`The frame of ${id} (${type}) carries ${data}`);
  return [event];
}
