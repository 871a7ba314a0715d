import { writeSync } from "node:fs";
import { allowsColour, type Environment } from "../config/environment.ts";
import { EXIT_CODES } from "./exit-codes.ts";

/** One of the two streams that people and programs read. */
export interface Sink {
  write(text: string): void;
  readonly isTerminal: boolean;
  readonly colour: boolean;
  /** Characters per line; `undefined` where lines have no end, as in a pipe. */
  readonly columns: number | undefined;
}

/** Everything that a command touches besides the network. */
export interface Io {
  /** Results. */
  readonly out: Sink;
  /** Messages about the results: progress, hints, errors. */
  readonly err: Sink;
  readonly environment: Environment;
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

export function processIo(environment: Environment): Io {
  return {
    out: sinkOf(process.stdout, "standard output", environment),
    err: sinkOf(process.stderr, "standard error", environment),
    environment,
    now: Date.now,
  };
}

function sinkOf(stream: NodeJS.WriteStream, name: string, environment: Environment): Sink {
  const isTerminal = stream.isTTY === true;
  // `capstan … | head` closes the pipe early, and a terminal is closed: that ends the output, and is no error.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && !(isTerminal && error.code === "EIO")) endWithout(name, error);
  });
  return {
    write: (text) => void stream.write(text),
    isTerminal,
    colour: isTerminal && allowsColour(environment),
    get columns() {
      // A terminal that was not told its size has none.
      return isTerminal && stream.columns > 0 ? stream.columns : undefined;
    },
  };
}

/** Nobody would read what comes after it, and whoever keeps the output must not take it for complete. */
function endWithout(name: string, { code, message }: NodeJS.ErrnoException): never {
  const reason = code === "ENOSPC" ? "no space is left on its device" : (code ?? message);
  // Synchronously, and past the stream, which may be the one that fails.
  try {
    writeSync(process.stderr.fd, `error: The output cannot be written to ${name}: ${reason}.\n`);
  } catch {
    // Then the exit code has to say it alone.
  }
  process.exit(EXIT_CODES.failed.code);
}
