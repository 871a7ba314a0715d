/** The server answered, and refused. */
export class ApiError extends Error {
  /** HTTP status. */
  readonly status: number;
  /** The error type of the contract, such as `not_found_error`; `http_error` when something else than the API answered. */
  readonly type: string;
  /** The offending parameter of a 400. */
  readonly param: string | undefined;
  /** What to look for in the server's log. */
  readonly requestId: string | undefined;
  /** Seconds after which the server wants to be asked again. */
  readonly retryAfterSeconds: number | undefined;
  /** False when the server said that a repeat is pointless. */
  readonly shouldRetry: boolean | undefined;

  constructor(message: string, details: ApiErrorDetails) {
    super(message);
    this.name = "ApiError";
    this.status = details.status;
    this.type = details.type;
    this.param = details.param;
    this.requestId = details.requestId;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.shouldRetry = details.shouldRetry;
  }
}

export interface ApiErrorDetails {
  readonly status: number;
  readonly type: string;
  readonly param?: string | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly shouldRetry?: boolean | undefined;
}

/** There was no answer, or none that can be used. */
export class ConnectionError extends Error {
  /**
   * Whether the server may have acted on the request. False only when the connection could not even be opened, so that a
   * repeat is safe whatever the call does.
   */
  readonly maybeDelivered: boolean;
  /** The system's code, such as `ECONNREFUSED`; `TIMEOUT` when the answer took too long. */
  readonly code: string;

  constructor(message: string, details: { maybeDelivered: boolean; code: string; cause?: unknown }) {
    super(message, { cause: details.cause });
    this.name = "ConnectionError";
    this.maybeDelivered = details.maybeDelivered;
    this.code = details.code;
  }
}

/** Codes of failures before the first byte of a request was sent. */
const NEVER_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTDOWN",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** What `fetch` threw, as an error that names the host and what to check, and nothing secret. */
export function connectionError(host: string, thrown: unknown): ConnectionError {
  const code = systemCode(thrown);
  return new ConnectionError(
    `Cannot reach the server at ${host} (${code}): check that it runs, and that the address and the network are right.`,
    { maybeDelivered: !NEVER_SENT.has(code), code, cause: thrown },
  );
}

export function timeoutError(host: string, timeoutMs: number): ConnectionError {
  return new ConnectionError(
    `The server at ${host} did not answer within ${timeoutMs} ms: check its load and the network, or allow more time.`,
    { maybeDelivered: true, code: "TIMEOUT" },
  );
}

export function silentError(host: string, silenceMs: number): ConnectionError {
  return new ConnectionError(
    `Nothing was heard from the server at ${host} for ${silenceMs} ms: check the network, and proxies that hold answers back.`,
    { maybeDelivered: true, code: "SILENT" },
  );
}

export function unusableAnswer(host: string, why: string, cause?: unknown): ConnectionError {
  return new ConnectionError(
    `The answer of ${host} cannot be used (${why}): check that the address is that of a Capstan server.`,
    { maybeDelivered: true, code: "UNUSABLE_ANSWER", cause },
  );
}

/** `fetch` wraps the system's error, for a name with several addresses even twice. */
function systemCode(thrown: unknown): string {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    const { code } = error as { code?: unknown };
    if (typeof code === "string") return code;
  }
  return "CONNECTION_FAILED";
}
