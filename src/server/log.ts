import pino, { type Logger } from "pino";
import type { LogLevel } from "./options.ts";

export type { Logger };

/**
 * Lines are written together once they fill this many bytes, or after this time: a write for each costs more than its
 * text. Not more bytes, because the destination counts them anew with each line that it adds to them.
 */
const BUFFER_BYTES = 1_024;
const WRITE_BYTES = 2_048;
const BUFFER_MS = 100;

/** JSON lines on stderr, so that stdout stays free for what a person or a script asked for. */
export function createLogger(level: LogLevel): Logger {
  const destination = pino.destination({
    dest: 2,
    sync: false,
    minLength: BUFFER_BYTES,
    maxWrite: WRITE_BYTES,
    periodicFlush: BUFFER_MS,
  });
  return pino(
    {
      level,
      base: null,
      timestamp: timestamp(),
      formatters: { level: (label) => ({ level: label }) },
      // Nothing logs a header or a body; this is for the day when someone does.
      redact: { paths: ["*.authorization", "*.token", "*.headers", "authorization", "token"], censor: "[secret]" },
    },
    destination,
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
