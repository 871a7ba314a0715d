import pino, { type Logger } from "pino";
import { LogBuffer } from "./log-buffer.ts";
import type { LogLevel } from "./options.ts";
import { RequestLog } from "./request-log.ts";

export type { Logger };

const STANDARD_ERROR = 2;

export interface Logs {
  readonly log: Logger;
  /** Where the line of a request goes that was answered with this status; `undefined` when the level leaves it out. */
  requestLog(status: number): RequestLog | undefined;
}

/** JSON lines on stderr, so that stdout stays free for what a person or a script asked for. */
export function createLogs(level: LogLevel): Logs {
  const buffer = new LogBuffer(STANDARD_ERROR);
  const log = pino(
    {
      level,
      base: null,
      timestamp: timestamp(),
      formatters: { level: (label) => ({ level: label }) },
      // Nothing logs a header or a body; this is for the day when someone does.
      redact: { paths: ["*.authorization", "*.token", "*.headers", "authorization", "token"], censor: "[secret]" },
    },
    buffer,
  );
  const requests = (of: "info" | "error") =>
    log.isLevelEnabled(of) ? new RequestLog(of, buffer, timestamp()) : undefined;
  const [answered, failed] = [requests("info"), requests("error")];
  return { log, requestLog: (status) => (status >= 500 ? failed : answered) };
}

/** Makes the text of a millisecond once, however many lines it has. */
function timestamp(): () => string {
  let at = 0;
  let text = "";
  return () => {
    const now = Date.now();
    if (now !== at) {
      at = now;
      text = `,"time":"${new Date(now).toISOString()}"`;
    }
    return text;
  };
}
