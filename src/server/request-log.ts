import type { LogBuffer } from "./log-buffer.ts";

export interface RequestLine {
  readonly requestId: string;
  readonly method: string;
  /** Without the query: what stands there is no secret today, and must not become one tomorrow. */
  readonly path: string;
  readonly operation: string;
  readonly status: number;
  readonly ms: number;
  /** The id of the caller's token; left out where none was accepted. */
  readonly caller: string | undefined;
}

/**
 * The line that every request leaves, in the form of all the others. It is put together here because a general logger
 * spends more on it than the server on the rest of the request; all fields but two are known to need no escaping.
 */
export class RequestLog {
  readonly #level: "info" | "error";
  readonly #buffer: LogBuffer;
  readonly #timestamp: () => string;

  /** @param timestamp a line's time, as `,"time":"…"` */
  constructor(level: "info" | "error", buffer: LogBuffer, timestamp: () => string) {
    this.#level = level;
    this.#buffer = buffer;
    this.#timestamp = timestamp;
  }

  write(line: RequestLine): void {
    const caller = line.caller === undefined ? "" : `,"caller":"${line.caller}"`;
    const hundredths = Math.round(line.ms * 100) / 100;
    this.#buffer.write(
      `{"level":"${this.#level}"${this.#timestamp()},"request_id":${JSON.stringify(line.requestId)},"method":"${line.method}","path":${JSON.stringify(line.path)},"operation":"${line.operation}","status":${line.status},"ms":${hundredths}${caller},"msg":"request"}\n`,
    );
  }
}
