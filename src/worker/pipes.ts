import type { Readable } from "node:stream";

/** After the cut, a pipe that was silent for this long is taken to have said everything. */
const SILENCE_MS = 300;

/** After the cut, how long a pipe is waited for in all. What was written before is there, and takes no waiting. */
const PATIENCE_MS = 2_000;

/** After the cut, how much is read: what was written before is no more than a pipe holds, a fraction of this. */
const LATE_BYTES = 2 * 1024 * 1024;

const PIPE_EVENTS = ["readable", "end", "close", "error"] as const;

/**
 * The chunks of a pipe, only as fast as they are consumed: what is not read yet holds the writing process back.
 *
 * Ends with the pipe, or some time after `cut`: a process that left the command's group may hold the pipe open for ever,
 * and go on writing. What was written before the cut has to be read to its end, however long its consumer takes; so it is
 * the waiting and the bytes that are bounded, and not the time.
 *
 * @param over when it is aborted, nobody wants to know any more, and nothing is waited for
 */
export async function* readPipe(pipe: Readable, cut: AbortSignal, over?: AbortSignal): AsyncGenerator<Buffer> {
  let wake = () => {};
  const onEvent = () => wake();
  // Listening all the time, because Node throws away what is in the pipes of an exited process that nobody listens to.
  for (const name of PIPE_EVENTS) pipe.on(name, onEvent);
  over?.addEventListener("abort", onEvent);
  let patienceMs = PATIENCE_MS;
  let lateBytes = 0;
  try {
    while (!over?.aborted && lateBytes < LATE_BYTES) {
      const chunk = pipe.read() as Buffer | null;
      if (chunk !== null) {
        if (cut.aborted) lateBytes += chunk.length;
        yield chunk;
      } else {
        if (pipe.readableEnded || pipe.destroyed) return;
        const lateMs = await untilSomethingHappens((resolve) => (wake = resolve), cut, patienceMs);
        if (lateMs === undefined) return;
        patienceMs -= lateMs;
      }
    }
  } finally {
    for (const name of PIPE_EVENTS) pipe.off(name, onEvent);
    over?.removeEventListener("abort", onEvent);
  }
}

/** Waits to be woken. @returns how much of the wait was after the cut; `undefined` when nothing happened for too long */
async function untilSomethingHappens(
  onWake: (wake: () => void) => void,
  cut: AbortSignal,
  patienceMs: number,
): Promise<number | undefined> {
  let timer: NodeJS.Timeout | undefined;
  let lateSinceMs: number | undefined;
  let startSilence = () => {};
  const happened = await new Promise<boolean>((resolve) => {
    onWake(() => resolve(true));
    startSilence = () => {
      lateSinceMs = performance.now();
      // A process that was busy finds its timers due before it looks at its pipes: one look at those comes first.
      timer = setTimeout(() => setImmediate(() => resolve(false)), Math.max(0, Math.min(SILENCE_MS, patienceMs)));
    };
    if (cut.aborted) startSilence();
    else cut.addEventListener("abort", startSilence);
  });
  clearTimeout(timer);
  cut.removeEventListener("abort", startSilence);
  if (!happened) return undefined;
  return lateSinceMs === undefined ? 0 : performance.now() - lateSinceMs;
}

/** Bytes that are kept of a pipe whose end alone is of interest. */
const TAIL_BYTES = 4_096;

/** Reads a pipe to its end, as {@link readPipe} does, and returns its last 4 KB as text. */
export async function readTail(pipe: Readable, cut: AbortSignal, over?: AbortSignal): Promise<string> {
  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of readPipe(pipe, cut, over)) tail = Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES);
  return tail.toString("utf8").trimEnd();
}
