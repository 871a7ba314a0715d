import { OPERATION_NAMES, OPERATIONS, type Operation, type OperationResponse } from "../contract/operations.ts";
import type { SessionEvent } from "../contract/shapes.ts";
import { connectionError, timeoutError } from "./errors.ts";
import type { CallArguments, CallOperationName, ListedRecord, ListOperationName, OperationInput } from "./input.ts";
import { listAll } from "./paginate.ts";
import { buildRequest, requestedWaitMs, type WireRequest } from "./request.ts";
import { readAnswer } from "./response.ts";
import { retryDelayMs } from "./retry.ts";
import { BEFORE_ALL_EVENTS, followStream, type StreamInput, type StreamOptions } from "./stream.ts";
import { wait } from "./wait.ts";

export interface ClientOptions {
  /** Origin of the server, such as `http://127.0.0.1:8787`; a path in front of the API is kept. */
  readonly baseUrl: string;
  /** The bearer token. It leaves the client in the `authorization` header and nowhere else. */
  readonly token: string;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /** Repeats after a failure that may pass. Default 2. */
  readonly maxRetries?: number | undefined;
  /** Milliseconds that one try may take, besides a wait that the call asks the server for. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** Default `capstan-client`. */
  readonly userAgent?: string | undefined;
}

export interface CallOptions {
  /** Ends the call, and a wait between two tries, at once. The call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Instead of the client's. */
  readonly timeoutMs?: number | undefined;
  /** Instead of the client's. */
  readonly maxRetries?: number | undefined;
  /** Sent as `x-request-id`, under which the server logs the call. */
  readonly requestId?: string | undefined;
}

class BaseClient {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly #host: string;
  readonly #token: string;
  readonly #fetch: typeof fetch;
  readonly #maxRetries: number;
  readonly #timeoutMs: number;
  readonly #userAgent: string;

  /** @throws TypeError when the URL or the token cannot be used; the token is not in the message. */
  constructor(options: ClientOptions) {
    const url = URL.canParse(options.baseUrl) ? new URL(options.baseUrl) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "") {
      throw new TypeError("baseUrl must be an http or https URL without a user, a password and a query.");
    }
    // What is checked here can no longer appear in an error of `fetch`, which quotes headers that it refuses.
    if (!/^[\x21-\x7e]+$/.test(options.token)) {
      throw new TypeError(
        "token must be printable ASCII without blanks: look for a line break that was copied with it.",
      );
    }
    this.baseUrl = `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
    this.#host = url.host;
    this.#token = options.token;
    this.#fetch = options.fetch ?? fetch;
    this.#maxRetries = options.maxRetries ?? 2;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#userAgent = options.userAgent ?? "capstan-client";
  }

  /**
   * Makes one call of the API. Failures that may pass are repeated with growing, jittered waits, and only where a repeat
   * cannot do a thing twice.
   *
   * @throws ApiError when the server refuses, ConnectionError when it cannot be reached or answers nonsense, the
   *   signal's reason when that is aborted, TypeError for an input that the operation does not have.
   */
  async call<Name extends CallOperationName>(
    name: Name,
    ...[input, options]: CallArguments<Name, CallOptions>
  ): Promise<OperationResponse<Name>> {
    return (await this.#call(name, input ?? {}, options ?? {})) as OperationResponse<Name>;
  }

  /**
   * Every record of a list, page after page. Takes the input of the list's call; it begins after `page` or `after_id`.
   *
   * @throws TypeError for `before_id`: what comes before it is one page
   */
  paginate<Name extends ListOperationName>(
    name: Name,
    ...[input, options]: CallArguments<Name, CallOptions>
  ): AsyncGenerator<ListedRecord<Name>, void, undefined> {
    const { after_id, before_id, ...list } = (input ?? {}) as Record<"after_id" | "before_id", string | undefined>;
    if (before_id !== undefined) throw new TypeError("paginate goes forwards: give page or after_id, not before_id.");
    // The two mean the same, and the server takes one of them: the next page is always told by `page`.
    const first = after_id === undefined ? {} : { page: after_id };
    return listAll((page) => this.#call(name, { ...list, ...first, ...page }, options ?? {}));
  }

  /**
   * The events of a session as they happen, for `for await`. The stream reconnects by itself and resumes where it was:
   * nothing is left out, nothing comes twice. Leaving the loop closes it.
   *
   * @throws ApiError when the server refuses for good (401, 403, 404), ConnectionError when something else than the API
   *   answers, the signal's reason when that is aborted.
   */
  streamEvents(input: StreamInput, options: StreamOptions = {}): AsyncGenerator<SessionEvent, void, undefined> {
    const { session_id, after_id } = input;
    const request = buildRequest(this.baseUrl, "streamEvents", { session_id });
    const source = {
      host: this.#host,
      newest: async (signal: AbortSignal | undefined) => {
        const newest = await this.call(
          "listEvents",
          { session_id, order: "desc", limit: 1 },
          { signal, maxRetries: 0 },
        );
        return newest.first_id ?? BEFORE_ALL_EVENTS;
      },
      connect: async (after: string, signal: AbortSignal) => {
        const headers = { accept: "text/event-stream", "last-event-id": after };
        const response = await this.#send({ ...request, headers }, 0, signal, {});
        if (!response.ok) await readAnswer(response, this.#host);
        return response;
      },
    };
    return followStream(source, after_id, options);
  }

  async #call(
    name: CallOperationName,
    input: Readonly<Record<string, unknown>>,
    options: CallOptions,
  ): Promise<unknown> {
    const request = buildRequest(this.baseUrl, name, input);
    const timeoutMs = (options.timeoutMs ?? this.#timeoutMs) + requestedWaitMs(input);
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#attempt(request, attempt, timeoutMs, options);
      } catch (failure) {
        if (options.signal?.aborted) throw options.signal.reason;
        const delayMs = retryDelayMs(name, input, failure, attempt);
        if (delayMs === undefined || attempt >= (options.maxRetries ?? this.#maxRetries)) throw failure;
        await wait(delayMs, options.signal);
      }
    }
  }

  async #attempt(request: WireRequest, attempt: number, timeoutMs: number, options: CallOptions): Promise<unknown> {
    // One controller per try, and not AbortSignal.any: that keeps every try alive as long as the caller's signal.
    const controller = new AbortController();
    const aborted = () => controller.abort();
    const timer = setTimeout(() => controller.abort(timeoutError(this.#host, timeoutMs)), timeoutMs);
    options.signal?.addEventListener("abort", aborted, { once: true });
    try {
      options.signal?.throwIfAborted();
      const response = await this.#send(request, attempt, controller.signal, options);
      return await readAnswer(response, this.#host).catch((failure) => {
        throw failure instanceof TypeError ? connectionError(this.#host, failure) : failure;
      });
    } catch (failure) {
      throw controller.signal.aborted ? controller.signal.reason : failure;
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", aborted);
    }
  }

  async #send(request: WireRequest, attempt: number, signal: AbortSignal, options: CallOptions): Promise<Response> {
    // Made here, so that a value that no header can carry is not mistaken for a lost connection.
    const headers = new Headers({
      authorization: `Bearer ${this.#token}`,
      accept: "application/json",
      "user-agent": this.#userAgent,
      ...(request.body === undefined ? {} : { "content-type": "application/json" }),
      ...(options.requestId === undefined ? {} : { "x-request-id": options.requestId }),
      ...(attempt === 0 ? {} : { "x-stainless-retry-count": String(attempt) }),
      ...request.headers,
    });
    try {
      // The API never redirects, so a redirect is somebody else's answer, and must not be given the token.
      return await this.#fetch(request.url, {
        method: request.method,
        headers,
        body: request.body ?? null,
        redirect: "manual",
        signal,
      });
    } catch (thrown) {
      throw connectionError(this.#host, thrown);
    }
  }
}

type OperationMethods = {
  readonly [Name in CallOperationName]: (...args: CallArguments<Name, CallOptions>) => Promise<OperationResponse<Name>>;
};

/** A client of the whole API: one method per operation of the contract, under its name there. */
export type CapstanClient = BaseClient & OperationMethods;
export const CapstanClient = BaseClient as new (options: ClientOptions) => CapstanClient;

const CALLS = OPERATION_NAMES.filter(
  (name): name is CallOperationName => (OPERATIONS[name] as Operation).stream !== true,
);

for (const name of CALLS) {
  Object.defineProperty(BaseClient.prototype, name, {
    value(this: BaseClient, input?: OperationInput<typeof name>, options?: CallOptions) {
      return this.call(name, ...([input, options] as CallArguments<typeof name, CallOptions>));
    },
  });
}
