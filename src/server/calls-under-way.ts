import type { FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyRequest {
    /** It was let in and has no answer yet. */
    underWay: boolean;
  }
}

/** Calls that were let in and not answered yet: what a stop waits for. */
export class CallsUnderWay {
  #count = 0;
  readonly #waiting: (() => void)[] = [];

  begin(request: FastifyRequest): void {
    request.underWay = true;
    this.#count += 1;
  }

  /** May be told more than once of one call, and of calls that were never let in. */
  end(request: FastifyRequest): void {
    if (!request.underWay) return;
    request.underWay = false;
    this.#count -= 1;
    if (this.#count > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves once there are none. */
  none(): Promise<void> {
    return this.#count === 0 ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }
}
