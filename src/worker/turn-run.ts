import type { CapstanClient } from "../client/client.ts";
import { wait } from "../client/wait.ts";
import type { Session, SessionEvent, Work } from "../contract/shapes.ts";
import { EventSender } from "./event-sender.ts";
import type { Report } from "./events.ts";
import { describe, persist } from "./failures.ts";
import { failureEvent, type Handler, type NewSessionEvent, type Turn, TurnFailed } from "./handler.ts";
import { newestEventId, unansweredInput } from "./input-events.ts";
import type { TurnSignals } from "./turn-signals.ts";
import { sessionWorkspace } from "./workspace.ts";

export interface TurnRunParts {
  readonly client: CapstanClient;
  readonly work: Work;
  readonly workerId: string;
  readonly workspaceRoot: string;
  readonly handler: Handler;
  readonly signals: TurnSignals;
  readonly report: Report;
}

/** How long a handler may ignore that its grace period is over, before the item is ended without it. */
const ABANDON_AFTER_MS = 5_000;

interface Material {
  readonly session: Session;
  readonly events: readonly SessionEvent[];
  readonly newestId: string | undefined;
}

/** One call of the handler, and what it needs. */
export class TurnRun {
  readonly #parts: TurnRunParts;
  #sender: EventSender | undefined;
  #processedThrough: string | undefined;
  #failure: { readonly error: unknown } | undefined;
  #handler: Promise<void> = Promise.resolve();

  constructor(parts: TurnRunParts) {
    this.#parts = parts;
  }

  /** The last input that the handler was given. */
  get processedThrough(): string | undefined {
    return this.#processedThrough;
  }

  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  get handlerReturned(): Promise<void> {
    return this.#handler;
  }

  /** Resolves when the turn is over, one way or another: `failure` says how it went. */
  async run(): Promise<void> {
    try {
      const material = await this.#material();
      this.#processedThrough = material.events.at(-1)?.id;
      if (material.events.length > 0) await this.#handle(material);
    } catch (error) {
      this.#failure = { error };
    }
  }

  /** Tells the session why its turn failed. */
  async tellFailure(error: unknown): Promise<void> {
    await this.#sender?.send([failureEvent(error)]);
  }

  async #material(): Promise<Material> {
    const { client, work, workerId, signals } = this.#parts;
    const { signal } = signals;
    const id = work.data.id;
    const reading = <T>(call: () => Promise<T>) => persist(call, signal, (failure) => this.#callFailed(failure));
    const [session, events, newestId] = await Promise.all([
      reading(() => client.getSession({ session_id: id }, { signal, maxRetries: 0 })),
      reading(() => unansweredInput(client, id, signal)),
      reading(() => newestEventId(client, id, signal)),
    ]);
    this.#sender = new EventSender({ client, sessionId: id, workerId, after: newestId, signal: signals.forced });
    return { session, events, newestId };
  }

  async #handle({ session, events }: Material): Promise<void> {
    const { client, work, signals, workspaceRoot, handler } = this.#parts;
    const sender = this.#sender as EventSender;
    const workspace = await sessionWorkspace(workspaceRoot, session.id).catch((failure) => {
      throw new TurnFailed("workspace_failed", `The worker could not make the session's folder: ${describe(failure)}.`);
    });
    let over = false;
    const send = async (sent: readonly NewSessionEvent[]) => {
      if (over) throw new Error("The turn is over: send before the handler returns.");
      return sender.send(sent);
    };
    const turn: Turn = { work, session, events, workspace, ...signalsOf(signals), send, client };
    const handling = (async () => handler(turn))();
    this.#handler = handling.catch(() => {});
    try {
      await Promise.race([handling, this.#abandonment()]);
    } finally {
      over = true;
      await sender.settled();
    }
  }

  /** Rejects when the handler did not come back in time. A handler is no process: it cannot be killed. */
  async #abandonment(): Promise<never> {
    const { forced } = this.#parts.signals;
    const returned = new AbortController();
    this.#handler.then(() => returned.abort());
    await new Promise((resolve) => forced.addEventListener("abort", resolve, { once: true }));
    await wait(ABANDON_AFTER_MS, returned.signal);
    const message = "The handler ignores its signals; its item is ended without it, and its slot stays taken.";
    this.#parts.report({ level: "error", type: "handler_stuck", message });
    throw new Error(message);
  }

  #callFailed(failure: unknown): void {
    this.#parts.report({ level: "warn", type: "call_failed", message: describe(failure) });
  }
}

const signalsOf = ({ signal, forced }: TurnSignals) => ({ signal, forced });
