import { ApiError } from "../../client/errors.ts";
import { LIMITS } from "../../contract/limits.ts";
import type { SessionEvent } from "../../contract/shapes.ts";
import type { HandlerContext } from "../handler.ts";
import type { Tools } from "./index.ts";

const TYPES = ["agent.tool_use", "user.tool_result"] as const;

export interface AnswerOptions {
  /** Ends when nothing was asked for this long. Default 60. */
  readonly maxIdleSeconds?: number | undefined;
}

/**
 * For sessions whose model runs elsewhere: answers every `agent.tool_use` of the turn that has no result, first those that
 * are there and then those that come, one after the other, until the handler's signal is aborted or nothing is asked for
 * a while. The input of the handler is left to whoever asks the tools.
 */
export async function answerToolUses(
  context: HandlerContext,
  tools: Tools,
  { maxIdleSeconds = 60 }: AnswerOptions = {},
): Promise<void> {
  const { client, session, signal } = context;
  const [first] = context.input.takeAll();
  if (first === undefined) return;
  const newest = await client.listEvents({ session_id: session.id, order: "desc", limit: 1 }, { signal });
  const { pending, seen } = await toolUses(context, first.id);
  for (const use of pending) await answer(context, tools, use);
  const idle = new IdleClock(maxIdleSeconds * 1_000, signal);
  try {
    const from = { session_id: session.id, after_id: newest.first_id ?? first.id };
    for await (const event of client.streamEvents(from, { signal: idle.signal })) {
      if (event.type !== "agent.tool_use" || seen.has(event.id)) continue;
      idle.stop();
      await answer(context, tools, event);
      idle.start();
    }
  } catch (failure) {
    if (!idle.signal.aborted) throw failure;
  } finally {
    idle.stop();
  }
}

async function answer({ send }: HandlerContext, tools: Tools, use: SessionEvent): Promise<void> {
  try {
    await send([await tools.answer(use)]);
  } catch (failure) {
    // The first answer counts, and somebody else gave it.
    if (!(failure instanceof ApiError) || failure.status !== 400) throw failure;
  }
}

async function toolUses({ client, session, signal }: HandlerContext, after: string) {
  const uses = new Map<string, SessionEvent>();
  const seen = new Set<string>();
  const input = { session_id: session.id, types: TYPES, page: after, limit: LIMITS.eventsPage.max };
  for await (const event of client.paginate("listEvents", input, { signal })) {
    seen.add(event.id);
    if (event.type === "agent.tool_use") uses.set(event.id, event);
    else uses.delete(String(event.tool_use_id));
  }
  return { pending: [...uses.values()], seen };
}

/** Aborted when nothing has happened for a while, or with the signal that it stands beside. */
class IdleClock {
  readonly #controller = new AbortController();
  readonly #ms: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, signal: AbortSignal) {
    this.#ms = ms;
    signal.addEventListener("abort", () => this.#controller.abort(signal.reason), { once: true });
    this.start();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  start(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#controller.abort(new Error("nothing was asked for")), this.#ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
