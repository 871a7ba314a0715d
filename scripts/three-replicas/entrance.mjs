/** One address in front of several servers: each connection goes to the next one that takes it. */
import { connect, createServer } from "node:net";

export async function startEntrance(targets, port) {
  const sockets = new Set();
  let turn = 0;

  const server = createServer((near) => {
    keep(near);
    pass(near, targets.length);
  });

  /** Tries one server after the other; nothing has been read of the caller by then, so nothing is said twice. */
  function pass(near, tries) {
    if (tries === 0) return near.destroy();
    const { hostname, port: at } = targets[turn++ % targets.length];
    const far = connect(Number(at), hostname);
    keep(far);
    const refused = () => pass(near, tries - 1);
    far.once("error", refused);
    far.once("connect", () => {
      far.off("error", refused);
      far.on("error", () => near.destroy());
      near.pipe(far).pipe(near);
    });
    near.once("close", () => far.destroy());
  }

  function keep(socket) {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  }

  await new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const isTaken = error.code === "EADDRINUSE";
      reject(
        isTaken ? new Error(`Port ${port} is taken. Name another one: npm run three-replicas -- --port 9000`) : error,
      );
    });
    server.listen(port, "127.0.0.1", resolve);
  });
  const stop = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { url: `http://127.0.0.1:${server.address().port}`, stop };
}
