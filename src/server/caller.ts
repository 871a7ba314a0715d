import type { FastifyReply, FastifyRequest } from "fastify";

/** The other end of a call. */
export interface Caller {
  /** Whether its connection has ended, as far as this process has read it. */
  hasHungUp(): boolean;
  /** Registers what has to happen when it hangs up before it has its answer. */
  onHangUp(hungUp: () => void): void;
}

/**
 * The events of a connection that ends come some turns of the event loop after its end was read; the state of the socket
 * tells at once. Whoever is about to give something away asks for the state.
 */
export function callerOf(request: FastifyRequest, reply: FastifyReply): Caller {
  const { socket } = request.raw;
  return {
    hasHungUp: () => socket.destroyed || socket.readableEnded,
    onHangUp: (hungUp) => void reply.raw.once("close", hungUp),
  };
}
