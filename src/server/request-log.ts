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

/** What stands in a JSON string as it is. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const NOT_ASCII = /[^\x20-\x7e]/g;

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
    this.#buffer.writeAscii(
      `{"level":"${this.#level}"${this.#timestamp()},"request_id":"${quotable(line.requestId)}","method":"${line.method}","path":"${quotable(line.path)}","operation":"${line.operation}","status":${line.status},"ms":${hundredths(line.ms)}${caller},"msg":"request"}\n`,
    );
  }
}

/** A text as it stands between the quotes of a JSON string, in ASCII. */
function quotable(text: string): string {
  if (PLAIN.test(text)) return text;
  const inAscii = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(text).slice(1, -1).replace(NOT_ASCII, inAscii);
}

/** With two decimals at most, from whole numbers: turning a fraction into text costs many times as much. */
function hundredths(ms: number): string {
  const whole = Math.round(ms * 100);
  const part = whole % 100;
  const integer = (whole - part) / 100;
  if (part === 0) return String(integer);
  return `${integer}.${part < 10 ? "0" : ""}${part % 10 === 0 ? part / 10 : part}`;
}
