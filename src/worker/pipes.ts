import type { Readable } from "node:stream";

/** After the cut, a pipe that was silent for this long is taken to have said everything. */
const SILENCE_MS = 300;

const PIPE_EVENTS = ["readable", "end", "close", "error"] as const;

/**
 * The chunks of a pipe, only as fast as they are consumed: what is not read yet holds the writing process back.
 *
 * Ends with the pipe, or after `cut` as soon as nothing comes any more: a process that left the command's group may hold
 * the pipe open for ever, but what was written before has to be read to its end however long that takes.
 */
export async function* readPipe(pipe: Readable, cut: AbortSignal): AsyncGenerator<Buffer> {
  let wake = () => {};
  const onEvent = () => wake();
  // Listening all the time, because Node throws away what is in the pipes of an exited process that nobody listens to.
  for (const name of PIPE_EVENTS) pipe.on(name, onEvent);
  try {
    for (;;) {
      const chunk = pipe.read() as Buffer | null;
      if (chunk !== null) yield chunk;
      else if (pipe.readableEnded || pipe.destroyed) return;
      else if (!(await somethingHappens((resolve) => (wake = resolve), cut))) return;
    }
  } finally {
    for (const name of PIPE_EVENTS) pipe.off(name, onEvent);
  }
}

/** Waits to be woken; false when nothing happens for a while after the cut. */
async function somethingHappens(onWake: (wake: () => void) => void, cut: AbortSignal): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  let startSilence = () => {};
  const happened = await new Promise<boolean>((resolve) => {
    onWake(() => resolve(true));
    startSilence = () => {
      timer = setTimeout(() => resolve(false), SILENCE_MS);
    };
    if (cut.aborted) startSilence();
    else cut.addEventListener("abort", startSilence);
  });
  clearTimeout(timer);
  cut.removeEventListener("abort", startSilence);
  return happened;
}

/** Bytes that are kept of a pipe whose end alone is of interest. */
const TAIL_BYTES = 4_096;

/** Reads a pipe to its end and returns its last 4 KB as text. */
export async function readTail(pipe: Readable, cut: AbortSignal): Promise<string> {
  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of readPipe(pipe, cut)) tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
  return tail.toString("utf8").trimEnd();
}
