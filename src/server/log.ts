import pino, { type Logger } from "pino";
import type { LogLevel } from "./options.ts";

export type { Logger };

/** JSON lines on stderr, so that stdout stays free for what a person or a script asked for. */
export function createLogger(level: LogLevel): Logger {
  const destination = pino.destination({ dest: 2, sync: false });
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Nothing logs a header or a body; this is for the day when someone does.
      redact: { paths: ["*.authorization", "*.token", "*.headers", "authorization", "token"], censor: "[secret]" },
    },
    destination,
  );
}
