import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How long a call waits that no server could take, before its caller is left without an answer. */
const REST_MS = 50;

/**
 * What stands before several servers: calls go round them, and a caller that hangs up hangs up on the server. A call that
 * a server could not take (a 503, no connection) ends for its caller as if the network had lost it, which is what callers
 * have to be ready for anyway.
 */
export class Balancer {
  /** Where the servers are; changes when one is started again. */
  readonly targets: string[];
  /** Answers of the servers, by status; 0 for none. */
  readonly statuses = new Map<number, number>();
  /** Calls that were answered as no call should be. */
  readonly wrong: string[] = [];
  readonly #server: Server;
  #turn = 0;

  private constructor(targets: readonly string[]) {
    this.targets = [...targets];
    this.#server = createServer((incoming, outgoing) => this.#pass(incoming, outgoing));
  }

  static async start(targets: readonly string[]): Promise<Balancer> {
    const balancer = new Balancer(targets);
    await new Promise<void>((resolve) => balancer.#server.listen(0, "127.0.0.1", resolve));
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const target = this.targets[this.#turn++ % this.targets.length] as string;
    const { method, url = "", headers } = incoming;
    const passed = request(`${target}${url}`, { method, headers, agent: false });
    passed.on("error", () => this.#lose(outgoing, 0));
    passed.on("response", (answer) => {
      const status = answer.statusCode ?? 0;
      if (status !== 503) {
        this.#count(status);
        if (status === 404 || status >= 500) this.wrong.push(`${status} ${method} ${url}`);
        outgoing.writeHead(status, answer.headers);
        answer.on("error", () => outgoing.destroy()).pipe(outgoing);
        return;
      }
      if (answer.headers["retry-after"] === undefined) this.wrong.push(`503 without retry-after: ${method} ${url}`);
      answer.resume();
      this.#lose(outgoing, status);
    });
    outgoing.on("close", () => passed.destroy());
    incoming.pipe(passed);
  }

  #lose(outgoing: ServerResponse, status: number): void {
    this.#count(status);
    setTimeout(() => outgoing.destroy(), REST_MS);
  }

  #count(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
  }
}
