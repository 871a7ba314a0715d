import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

/** A line to a server that can go dead without either end being told, as when a firewall forgets a connection. */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections that were made through it. */
  connections = 0;
  #dead = new WeakSet<Socket>();
  #cut: { readonly at: string; readonly passes: boolean } | undefined;

  private constructor(host: string, port: number) {
    this.#server = createServer((near) => {
      this.connections += 1;
      const far = connect(port, host);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on("data", (bytes) => this.#pass(bytes, from, to));
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

  /**
   * The next connection over which this text comes breaks there, for whoever sent it.
   *
   * @param passes whether the other end gets the text, with all that came with it
   */
  cutAt(text: string, { passes }: { readonly passes: boolean }): void {
    this.#cut = { at: text, passes };
  }

  #pass(bytes: Buffer, from: Socket, to: Socket): void {
    if (this.#dead.has(from)) return;
    const cut = this.#cut !== undefined && bytes.includes(this.#cut.at) ? this.#cut : undefined;
    if (cut === undefined) return void to.write(bytes);
    this.#cut = undefined;
    this.#dead.add(from).add(to);
    if (cut.passes) to.write(bytes);
    else to.destroy();
    from.destroy();
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
