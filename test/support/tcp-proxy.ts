import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A line to a server that can go dead without either end being told, as when a firewall forgets a connection. */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections that were made through it. */
  connections = 0;
  #dead = new WeakSet<Socket>();

  private constructor(host: string, port: number) {
    this.#server = createServer((near) => {
      this.connections += 1;
      const far = connect(port, host);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on("data", (bytes) => void (this.#dead.has(from) || to.write(bytes)));
        from.on("close", () => void (this.#dead.has(from) || to.destroy()));
        from.on("error", () => undefined);
      }
    });
  }

  static async start(host: string, port: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(host, port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Nothing passes any more over the connections that there are; new ones work. */
  goDead(): void {
    for (const socket of this.#sockets) this.#dead.add(socket);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
