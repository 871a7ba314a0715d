import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { SeenRequest } from "./scripted-server.ts";

/** What becomes of a request on its way. */
export type Passage =
  /** To the server, and the answer back. */
  | "pass"
  /** To the server, which acts on it; the caller's connection breaks before the answer. */
  | "lose_reply"
  /** The caller's connection breaks, and the server never hears of it. */
  | "lose_request"
  /** The caller is answered by the proxy. */
  | {
      readonly status: number;
      readonly json?: unknown;
      readonly headers?: Record<string, string>;
      readonly before?: () => Promise<unknown>;
    }
  /** Passed after, and answered after, something else has happened. */
  | { readonly before?: () => Promise<unknown>; readonly after?: () => Promise<unknown> };

export interface FaultyProxy {
  readonly url: string;
  /** Everything that callers sent, also what was lost. */
  readonly requests: SeenRequest[];
  /** Decides on every request from now on. */
  route: (request: SeenRequest) => Passage;
}

/** A network between a real caller and a real server, for faults that come at a chosen moment. */
export async function faultyProxy(target: string): Promise<FaultyProxy> {
  const server = createServer((incoming, response) => {
    carry(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const proxy: FaultyProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    route: () => "pass",
  };
  return proxy;

  async function carry(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await read(incoming);
    proxy.requests.push(request);
    const passage = proxy.route(request);
    if (passage === "lose_request") return void response.destroy();
    if (typeof passage === "object" && "status" in passage) {
      await passage.before?.();
      response.writeHead(passage.status, { "content-type": "application/json", ...passage.headers });
      return void response.end(JSON.stringify(passage.json === undefined ? {} : passage.json));
    }
    const around = typeof passage === "object" ? passage : {};
    await around.before?.();
    const hungUp = new AbortController();
    response.once("close", () => hungUp.abort());
    const answer = await fetch(`${target}${incoming.url}`, {
      method: request.method,
      headers: ownHeaders(request.headers),
      body: request.body === "" ? null : request.body,
      signal: hungUp.signal,
    });
    if (answer.headers.get("content-type")?.startsWith("text/event-stream") && answer.body !== null) {
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      for await (const chunk of answer.body) response.write(chunk);
      return void response.end();
    }
    const text = await answer.text();
    await around.after?.();
    if (passage === "lose_reply") return void response.destroy();
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(text);
  }
}

async function read(incoming: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://proxy");
  return {
    method: incoming.method ?? "",
    path: pathname,
    query: searchParams,
    headers: incoming.headers,
    body: Buffer.concat(chunks).toString(),
  };
}

/** Without those that belong to one connection. */
function ownHeaders(headers: IncomingMessage["headers"]): Record<string, string> {
  const hops = ["connection", "keep-alive", "host", "content-length", "transfer-encoding", "accept-encoding"];
  const kept = Object.entries(headers).filter(([name, value]) => typeof value === "string" && !hops.includes(name));
  return Object.fromEntries(kept) as Record<string, string>;
}
