import { connect, type Socket } from "node:net";

export interface RawCall {
  readonly socket: Socket;
  /** Everything that came back, when the connection has ended. */
  readonly received: Promise<string>;
}

/** Sends bytes as they are: for requests that no HTTP client would send, and for callers that hang up. */
export async function rawCall(url: string, bytes: string | Buffer): Promise<RawCall> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  const chunks: Buffer[] = [];
  const received = new Promise<string>((resolve) => {
    socket.on("data", (chunk) => chunks.push(chunk));
    // A reset is one of the ways in which a connection ends here.
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  socket.write(bytes);
  return { socket, received };
}

/** The head of a request; the connection ends with its answer unless it is told to stay. */
export function head(method: string, target: string, headers: Readonly<Record<string, string>> = {}): string {
  const all = { host: "capstan.test", connection: "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${target} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Takes an answer apart whose body ends with its connection. */
export function parseAnswer(received: string): RawAnswer {
  const end = received.indexOf("\r\n\r\n");
  const [first = "", ...lines] = received.slice(0, end).split("\r\n");
  const headers = lines.map((line) => line.split(/:\s*(.*)/s) as [string, string]);
  return {
    status: Number(first.split(" ")[1]),
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    body: received.slice(end + 4),
  };
}
