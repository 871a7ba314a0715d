import { CapstanClient } from "../client/client.ts";
import { LIMITS } from "../contract/limits.ts";
import { type HandOut, handOut, type Reach } from "./hand-out.ts";

/** How long the server is asked to hold a poll back; with every poll, a worker shows that it is there. */
const WAIT_SECONDS = Math.min(25, LIMITS.preferWaitSeconds.max);

/** What an answer may take beyond the wait that was asked for. */
const ANSWER_WITHIN_MS = 15_000;

export interface PollerOptions extends Reach {
  /** The worker's own. */
  readonly token: string;
  readonly environmentId: string;
  readonly workerId: string;
}

/** Asks for items, one call after the other. */
export class Poller {
  readonly #options: PollerOptions;
  readonly #client: CapstanClient;
  /** Of the last answer. */
  #workToken: string | null = null;

  constructor(options: PollerOptions) {
    const { baseUrl, token, userAgent } = options;
    this.#options = options;
    // The client gives bodies; the credential of a hand-out comes in a header.
    const noting: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      this.#workToken = response.headers.get("work-token");
      return response;
    };
    this.#client = new CapstanClient({ baseUrl, token, userAgent, fetch: noting });
  }

  /** @throws what the client throws, and TypeError for a server that sends no Work-Token */
  async poll(signal: AbortSignal): Promise<HandOut | null> {
    const { environmentId, workerId, baseUrl, userAgent } = this.#options;
    const work = await this.#client.pollWork(
      { environment_id: environmentId, worker_id: workerId, prefer: `wait=${WAIT_SECONDS}` },
      { signal, timeoutMs: ANSWER_WITHIN_MS, maxRetries: 0 },
    );
    if (work === null) return null;
    if (this.#workToken === null) {
      throw new TypeError(`The poll answer of ${baseUrl} has no Work-Token: look for a proxy that removes headers.`);
    }
    return handOut(work, this.#workToken, { baseUrl, userAgent });
  }
}
