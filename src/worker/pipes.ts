import type { Readable } from "node:stream";

/** After the cut, a pipe that was silent for this long is taken to have said everything. */
const SILENCE_MS = 300;

/**
 * The chunks of a pipe, only as fast as they are consumed: what is not read yet holds the writing process back.
 *
 * Ends with the pipe, or after `cut` as soon as nothing comes any more: a process that left the command's group may hold
 * the pipe open for ever, but what was written before has to be read to its end however long that takes.
 */
export async function* readPipe(pipe: Readable, cut: AbortSignal): AsyncGenerator<Buffer> {
  for (;;) {
    const chunk = pipe.read() as Buffer | null;
    if (chunk !== null) yield chunk;
    else if (pipe.readableEnded || pipe.destroyed || !(await somethingHappens(pipe, cut))) return;
  }
}

/** Waits for the pipe to have data or to end; false when it stays silent after the cut. */
function somethingHappens(pipe: Readable, cut: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const settle = (happened: boolean) => {
      clearTimeout(timer);
      cut.removeEventListener("abort", startSilence);
      for (const name of PIPE_EVENTS) pipe.off(name, onEvent);
      resolve(happened);
    };
    const onEvent = () => settle(true);
    const startSilence = () => {
      timer = setTimeout(() => settle(false), SILENCE_MS);
    };
    for (const name of PIPE_EVENTS) pipe.on(name, onEvent);
    if (cut.aborted) startSilence();
    else cut.addEventListener("abort", startSilence);
  });
}

const PIPE_EVENTS = ["readable", "end", "close", "error"] as const;

/** Bytes that are kept of a pipe whose end alone is of interest. */
const TAIL_BYTES = 4_096;

/** Reads a pipe to its end and returns its last 4 KB as text. */
export async function readTail(pipe: Readable, cut: AbortSignal): Promise<string> {
  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of readPipe(pipe, cut)) tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
  return tail.toString("utf8").trimEnd();
}
