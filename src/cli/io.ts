import { allowsColour, type Environment } from "../config/environment.ts";

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
    out: sinkOf(process.stdout, environment),
    err: sinkOf(process.stderr, environment),
    environment,
    now: Date.now,
  };
}

function sinkOf(stream: NodeJS.WriteStream, environment: Environment): Sink {
  const isTerminal = stream.isTTY === true;
  // `capstan … | head` closes the pipe early, and a terminal is closed: that ends the output, and is no error.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && !(isTerminal && error.code === "EIO")) throw error;
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
