import type { Server } from "node:http";
import type { Socket } from "node:net";

/** The connections of a server, for what Node's own `close` gets wrong about them. */
export class Connections {
  readonly #open = new Set<Socket>();
  readonly #unused = new Set<Socket>();
  #closed = false;

  constructor(server: Server) {
    server.on("connection", (socket) => this.#add(socket));
    server.on("request", (request) => this.#unused.delete(request.socket));
  }

  /** Part of an answer is still to be sent. Node would call its connection idle, and cut it off. */
  get sending(): boolean {
    for (const socket of this.#open) if (socket.writableLength > 0) return true;
    return false;
  }

  /**
   * Closes those that have carried no request yet, now and from now on. Node lets them be, so that a client which
   * connects in advance would hold up a server that wants to end.
   */
  closeUnused(): void {
    this.#closed = true;
    for (const socket of this.#unused) socket.destroy();
  }

  #add(socket: Socket): void {
    if (this.#closed) {
      socket.destroy();
      return;
    }
    this.#open.add(socket);
    this.#unused.add(socket);
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#unused.delete(socket);
    });
  }
}
