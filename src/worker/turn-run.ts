import { wait } from "../client/wait.ts";
import type { Session, Work } from "../contract/shapes.ts";
import { EventSender } from "./event-sender.ts";
import type { Report } from "./events.ts";
import { describe, persist } from "./failures.ts";
import { HANDED_OFF, handsOff } from "./hand-off-handler.ts";
import type { HandOut } from "./hand-out.ts";
import { failureEvent, type Handler, TurnFailed } from "./handler.ts";
import { newestEventId, type Unanswered, unansweredInput } from "./input-events.ts";
import { withStrayErrors } from "./stray-errors.ts";
import { TurnContext } from "./turn-context.ts";
import type { TurnSignals } from "./turn-signals.ts";
import { sessionWorkspace } from "./workspace.ts";

export interface TurnRunParts {
  readonly handOut: HandOut;
  readonly workspaceRoot: string;
  readonly handler: Handler;
  readonly signals: TurnSignals;
  readonly maxIdleSeconds: number;
  readonly maxTurnSeconds: number | undefined;
  readonly graceSeconds: number;
  /** Whether the handler waits for its user. */
  readonly onIdle: (idle: boolean) => void;
  readonly report: Report;
}

/** How long a handler may ignore that its grace period is over, before the item is ended without it. */
const ABANDON_AFTER_MS = 5_000;

interface Material extends Unanswered {
  readonly session: Session;
}

/** One call of the handler, and what it needs. */
export class TurnRun {
  readonly #parts: TurnRunParts;
  #sender: EventSender | undefined;
  #context: TurnContext | undefined;
  #given: string | undefined;
  #failure: { readonly error: unknown } | undefined;
  #handler: Promise<void> = Promise.resolve();
  #closing = false;
  #handedOff = false;

  constructor(parts: TurnRunParts) {
    this.#parts = parts;
  }

  /** The last input that the handler took. One that never looks at its input knows of all that was there at its start. */
  get processedThrough(): string | undefined {
    return this.#context?.input.taken ?? this.#given;
  }

  /** Whether the handler got none of its input, because the worker was told to end before it could. */
  get isUntouched(): boolean {
    const input = this.#context?.input;
    return this.#closing && (input === undefined || (input.asked && input.taken === undefined));
  }

  /** The last input that the handler is done with, however its turn went on. */
  get answeredThrough(): string | undefined {
    return this.#context?.input.answered;
  }

  /** Whether another process has the item. */
  get isHandedOff(): boolean {
    return this.#handedOff;
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  get handlerReturned(): Promise<void> {
    return this.#handler;
  }

  /** Gives no more input to the handler, so that it ends after the event that it is at. */
  closeInput(): void {
    this.#closing = true;
    this.#context?.input.close();
  }

  /** Another process has taken the lease over. @returns false when the handler did not start any for that */
  handOff(): boolean {
    if (this.#context === undefined || !handsOff(this.#parts.handler)) return false;
    this.#handedOff = true;
    return true;
  }

  /**
   * Resolves when the turn is over, one way or another: `failure` says how it went.
   *
   * @param work the item as it is after its first heartbeat
   */
  async run(work: Work): Promise<void> {
    try {
      const material = await this.#material();
      this.#given = material.events.at(-1)?.id ?? material.answeredThrough;
      if (material.events.length > 0 && !this.#closing) await this.#handle(work, material);
    } catch (error) {
      this.#failure = { error };
    }
  }

  /** Tells the session why its turn failed, even if the turn itself may not write any more. */
  async tellFailure(error: unknown, signal: AbortSignal): Promise<void> {
    await this.#sender?.send([failureEvent(error)], signal);
  }

  async #material(): Promise<Material> {
    const { handOut, signals } = this.#parts;
    const { client, work } = handOut;
    const { signal } = signals;
    const id = work.data.id;
    const reading = <T>(call: () => Promise<T>) => persist(call, signal, (failure) => this.#callFailed(failure));
    const [session, unanswered, newestId] = await Promise.all([
      reading(() => client.getSession({ session_id: id }, { signal, maxRetries: 0 })),
      reading(() => unansweredInput(client, id, signal)),
      reading(() => newestEventId(client, id, signal)),
    ]);
    this.#sender = new EventSender({ client, sessionId: id, after: newestId, signal: signals.forced });
    return { session, ...unanswered };
  }

  async #handle(work: Work, { session, events }: Material): Promise<void> {
    const { workspaceRoot, handler } = this.#parts;
    const sender = this.#sender as EventSender;
    const workspace = await sessionWorkspace(workspaceRoot, session.id).catch((failure) => {
      throw new TurnFailed("workspace_failed", `The worker could not make the session's folder: ${describe(failure)}.`);
    });
    if (this.#closing) return;
    const context = new TurnContext({ ...this.#parts, work, session, events, workspace, sender });
    this.#context = context;
    const handling = withStrayErrors(
      (error) => this.#wentAstray(error),
      async () => {
        if ((await handler(context)) === HANDED_OFF) this.#handedOff = true;
      },
    );
    this.#handler = handling.catch(() => {});
    try {
      await Promise.race([handling, this.#abandonment()]);
    } finally {
      context.close();
      await sender.settled();
    }
  }

  /** Rejects when the handler did not come back in time. A handler is no process: it cannot be killed. */
  async #abandonment(): Promise<never> {
    const { forced } = this.#parts.signals;
    const returned = new AbortController();
    this.#handler.then(() => returned.abort());
    await new Promise<void>((resolve) => {
      if (forced.aborted) resolve();
      else forced.addEventListener("abort", () => resolve(), { once: true });
    });
    await wait(ABANDON_AFTER_MS, returned.signal);
    const message = "The handler ignores its signals; its item is ended without it, and its slot stays taken.";
    this.#parts.report({ level: "error", type: "handler_stuck", message });
    throw new Error(message);
  }

  /** The handler may still come to its end, so its turn goes on. */
  #wentAstray(error: unknown): void {
    const message = `The handler let an error go astray: ${describe(error)}`;
    this.#parts.report({ level: "error", type: "handler_astray", message });
    const told = this.#context?.send([failureEvent(new TurnFailed("unhandled_error", describe(error)))]);
    told?.catch(() => {});
  }

  #callFailed(failure: unknown): void {
    this.#parts.report({ level: "warn", type: "call_failed", message: describe(failure) });
  }
}
