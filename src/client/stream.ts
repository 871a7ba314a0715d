import type { SessionEvent } from "../contract/shapes.ts";
import { ID_PREFIXES } from "../core/ids.ts";
import { backoffMs } from "./backoff.ts";
import { ApiError, ConnectionError, connectionError, silentError, unusableAnswer } from "./errors.ts";
import { type SseFrame, SseParser, SseTooLong } from "./sse.ts";
import { wait } from "./wait.ts";

export interface StreamInput {
  readonly session_id: string;
  /** Everything after this event. Left out: what comes from the call on; {@link BEFORE_ALL_EVENTS}: everything. */
  readonly after_id?: string | undefined;
}

export interface StreamOptions {
  /** Ends the stream at once; the iteration rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Called for each connection, once nothing that happens from then on can be missed. */
  readonly onOpen?: (() => void) | undefined;
  /** Called when a connection is lost, or cannot be made, and will be tried again. */
  readonly onLost?: ((failure: ApiError | ConnectionError | undefined, retryInMs: number) => void) | undefined;
  /** A connection without a byte for this long counts as lost. Default 30,000: two of the server's keep-alives. */
  readonly silenceMs?: number | undefined;
}

/** What a stream needs of its client. */
export interface StreamSource {
  readonly host: string;
  /** The newest event of the session, or a position before all. */
  newest(signal: AbortSignal | undefined): Promise<string>;
  /** The answer of the server, when it is a 2xx; ApiError for any other. */
  connect(after: string, signal: AbortSignal): Promise<Response>;
}

/** As `after_id`: all events of a session. A position need not name an event. */
export const BEFORE_ALL_EVENTS = `${ID_PREFIXES.event}${"0".repeat(32)}`;

const SILENCE_MS = 30_000;
/** How soon a lost connection is made again, until the server says something else. */
const RETRY_MS = 1_000;
/** The longest wait between two tries. */
const MAX_WAIT_MS = 30_000;
/** A connection that lasted this long was a good one: the wait after it is a short one again. */
const STABLE_MS = 10_000;
/** The largest event has a request's 32 MB; a line twice as long is from somebody else. */
const MAX_LINE_CHARACTERS = 64 * 1024 * 1024;

/**
 * The events of a session as they come, over as many connections as that takes. Each connection resumes after the last
 * event that was yielded, so that none is left out and none comes twice.
 *
 * @throws ApiError when the server refuses for good, ConnectionError when something else than the API answers, the
 *   signal's reason when that is aborted.
 */
export async function* followStream(
  source: StreamSource,
  after: string | undefined,
  options: StreamOptions,
): AsyncGenerator<SessionEvent, void, undefined> {
  const { signal, onLost } = options;
  let position = after;
  let retryMs = RETRY_MS;
  for (let attempt = 0; ; attempt += 1) {
    const startedAt = performance.now();
    let failure: ApiError | ConnectionError | undefined;
    try {
      signal?.throwIfAborted();
      position ??= await source.newest(signal);
      for await (const { frame, hintMs } of framesOf(source, position, options)) {
        retryMs = hintMs ?? retryMs;
        if (frame === undefined) continue;
        attempt = 0;
        position = frame.id || position;
        yield eventOf(frame, source.host);
      }
    } catch (thrown) {
      if (signal?.aborted) throw signal.reason;
      if (!mayPass(thrown)) throw thrown;
      failure = thrown;
    }
    if (performance.now() - startedAt > STABLE_MS) attempt = 0;
    const waitMs = Math.max(
      askedWaitMs(failure),
      retryMs / 2 + backoffMs(attempt, { baseMs: retryMs, maxMs: MAX_WAIT_MS }),
    );
    onLost?.(failure, waitMs);
    await wait(Math.min(waitMs, MAX_WAIT_MS), signal);
  }
}

/** What one connection brings, until it ends. */
async function* framesOf(source: StreamSource, position: string, options: StreamOptions) {
  const { signal, silenceMs = SILENCE_MS } = options;
  const controller = new AbortController();
  const aborted = () => controller.abort(signal?.reason);
  signal?.addEventListener("abort", aborted, { once: true });
  /** Waits for the server, but not for ever. While the caller is busy with an event, no time runs. */
  const heard = async <T>(answer: Promise<T>): Promise<T> => {
    const timer = setTimeout(() => controller.abort(silentError(source.host, silenceMs)), silenceMs);
    try {
      return await answer;
    } catch (thrown) {
      throw controller.signal.aborted ? controller.signal.reason : thrown;
    } finally {
      clearTimeout(timer);
    }
  };
  try {
    const response = await heard(source.connect(position, controller.signal));
    const reader = eventStream(response, source.host).getReader();
    options.onOpen?.();
    const parser = new SseParser(MAX_LINE_CHARACTERS);
    for (;;) {
      const { done, value } = await heard(
        reader.read().catch((thrown) => Promise.reject(connectionError(source.host, thrown))),
      );
      if (done) return;
      const frames = parsed(parser, value, source.host);
      yield { frame: undefined, hintMs: parser.retryMs };
      for (const frame of frames) yield { frame, hintMs: parser.retryMs };
    }
  } finally {
    signal?.removeEventListener("abort", aborted);
    controller.abort();
  }
}

function eventStream(response: Response, host: string): ReadableStream<Uint8Array> {
  const type = response.headers.get("content-type") ?? "nothing";
  if (response.body !== null && type.startsWith("text/event-stream")) return response.body;
  throw unusableAnswer(host, `it is ${type}, no event stream`);
}

function parsed(parser: SseParser, bytes: Uint8Array, host: string): SseFrame[] {
  try {
    return parser.push(bytes);
  } catch (thrown) {
    if (thrown instanceof SseTooLong) throw unusableAnswer(host, "one of its lines is too long", thrown);
    throw thrown;
  }
}

function eventOf(frame: SseFrame, host: string): SessionEvent {
  try {
    return JSON.parse(frame.data) as SessionEvent;
  } catch (thrown) {
    throw unusableAnswer(host, "an event is not JSON", thrown);
  }
}

/** Whether the same call may succeed later. */
function mayPass(failure: unknown): failure is ApiError | ConnectionError {
  if (failure instanceof ConnectionError) return failure.code !== "UNUSABLE_ANSWER";
  return failure instanceof ApiError && (failure.status === 429 || failure.status >= 500);
}

const askedWaitMs = (failure: unknown): number =>
  failure instanceof ApiError ? (failure.retryAfterSeconds ?? 0) * 1_000 : 0;
