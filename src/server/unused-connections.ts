import type { Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Keeps track of connections that have not carried a request yet. Node's own `closeIdleConnections` leaves them alone,
 * so that a client which connects in advance would hold up a server that wants to end.
 *
 * @returns closes them
 */
export function trackUnusedConnections(server: Server): () => void {
  const unused = new Set<Socket>();
  server.on("connection", (socket) => {
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  server.on("request", (request) => unused.delete(request.socket));
  return () => {
    for (const socket of unused) socket.destroy();
  };
}
