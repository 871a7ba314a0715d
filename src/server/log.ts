import pino, { type Logger } from "pino";
import { LogBuffer } from "./log-buffer.ts";
import type { LogLevel } from "./options.ts";

export type { Logger };

const STANDARD_ERROR = 2;

/** JSON lines on stderr, so that stdout stays free for what a person or a script asked for. */
export function createLogger(level: LogLevel): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: timestamp(),
      formatters: { level: (label) => ({ level: label }) },
      // Nothing logs a header or a body; this is for the day when someone does.
      redact: { paths: ["*.authorization", "*.token", "*.headers", "authorization", "token"], censor: "[secret]" },
    },
    new LogBuffer(STANDARD_ERROR),
  );
}

/** The same log for lines whose fields are all named where they are written: none of them needs a search for secrets. */
export const withoutRedaction = (log: Logger): Logger => log.child({}, { redact: [] });

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
