import type { CapstanClient, SessionEvent, StreamInput } from "../client/index.ts";
import type { Io } from "./io.ts";
import { note } from "./output/note.ts";
import { duration } from "./output/time.ts";

/** The events of a session as they come, until the signal is aborted. Lost connections are told of on standard error. */
export async function* followEvents(
  io: Io,
  client: CapstanClient,
  from: StreamInput,
  signal: AbortSignal,
): AsyncGenerator<SessionEvent, void, undefined> {
  let lost = false;
  const events = client.streamEvents(from, {
    signal,
    onOpen() {
      if (lost) note(io, "Connected again.");
      lost = false;
    },
    onLost(failure, retryInMs) {
      // Told once, however many tries it takes.
      if (!lost)
        note(io, `${failure?.message ?? "The server has closed the stream."} Next try in ${duration(retryInMs)}.`);
      lost = true;
    },
  });
  try {
    yield* events;
  } catch (failure) {
    if (!signal.aborted) throw failure;
  }
}
