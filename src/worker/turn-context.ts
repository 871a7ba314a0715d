import type { CapstanClient } from "../client/client.ts";
import type { Session, SessionEvent, Work } from "../contract/shapes.ts";
import type { EventSender } from "./event-sender.ts";
import { describeCall, handOutOver, isHandOutOver } from "./failures.ts";
import type { AgentSnapshot, HandlerContext, NewSessionEvent, TurnSignal } from "./handler.ts";
import { turnEnd } from "./input-events.ts";
import { textEvent } from "./output-events.ts";
import { Progress } from "./progress.ts";
import { InputFeed } from "./session-input.ts";
import { TurnClock } from "./turn-clock.ts";
import type { TurnRunParts } from "./turn-run.ts";

export interface TurnContextParts extends TurnRunParts {
  readonly work: Work;
  readonly session: Session;
  readonly events: readonly SessionEvent[];
  readonly workspace: string;
  readonly sender: EventSender;
}

/** What the handler is given. Its functions may be taken out of it. */
export class TurnContext implements HandlerContext {
  readonly session: Session;
  readonly agent: AgentSnapshot | null;
  readonly input: InputFeed;
  readonly workspace: string;
  readonly signal: TurnSignal;
  readonly forced: TurnSignal;
  readonly work: Work;
  readonly client: CapstanClient;
  readonly workToken: string;
  readonly #parts: TurnContextParts;
  readonly #clock: TurnClock;
  readonly #progress = new Progress((event) => void this.send([event]).catch(() => {}));
  #toldThrough: string | undefined;
  #over = false;

  constructor(parts: TurnContextParts) {
    const { session, handOut, signals, maxTurnSeconds, maxIdleSeconds } = parts;
    this.#parts = parts;
    this.session = session;
    this.agent = session.agent as AgentSnapshot | null;
    this.workspace = parts.workspace;
    this.signal = signals.signal;
    this.forced = signals.forced;
    this.work = parts.work;
    this.client = handOut.client;
    this.workToken = handOut.token;
    this.#clock = new TurnClock(maxTurnSeconds === undefined ? undefined : maxTurnSeconds * 1_000, () =>
      signals.abort("timeout", `The turn took longer than ${maxTurnSeconds} s.`, parts.graceSeconds * 1_000),
    );
    this.#clock.start();
    this.input = new InputFeed({
      client: handOut.client,
      sessionId: session.id,
      events: parts.events,
      maxIdleMs: maxIdleSeconds * 1_000,
      signal: signals.signal,
      onTaken: () => this.#clock.start(),
      onIdle: (answeredThrough) => this.#wait(answeredThrough),
      onBusy: () => parts.onIdle(false),
      onLost: (failure) =>
        signals.abort(
          "lease_lost",
          isHandOutOver(failure) ? handOutOver(parts.work.id) : `The hand-out is over: ${failure.message}`,
          0,
        ),
      onFailure: (failure) => this.#callFailed(failure),
    });
  }

  get deadline(): Date | undefined {
    return this.#clock.deadline;
  }

  readonly say = (text: string): Promise<SessionEvent> =>
    handled(this.send([textEvent(text)]).then(([event]) => event as SessionEvent));

  readonly send = (events: readonly NewSessionEvent[]): Promise<readonly SessionEvent[]> => {
    if (this.#over) return handled(Promise.reject(new Error("The turn is over: send before the handler returns.")));
    const sent = this.#parts.sender.send(events);
    sent.catch((failure) => this.#callFailed(failure));
    return sent;
  };

  readonly progress = (text: string): void => {
    if (!this.#over) this.#progress.report(text);
  };

  /** The handler has returned: what it left running cannot act in the session's name any more. */
  close(): void {
    this.#clock.stop();
    this.input.close();
    this.#progress.flush();
    this.#over = true;
  }

  /** Everything is answered: whoever follows the session sees it, and so does whoever has to take the item over. */
  async #wait(answeredThrough: string | undefined): Promise<void> {
    this.#clock.stop();
    this.#progress.flush();
    if (answeredThrough !== undefined && answeredThrough !== this.#toldThrough) {
      this.#toldThrough = answeredThrough;
      await this.#parts.sender.send([turnEnd(answeredThrough)]).catch((failure) => this.#callFailed(failure));
    }
    this.#parts.onIdle(true);
  }

  #callFailed(failure: unknown): void {
    this.#parts.report({ level: "warn", type: "call_failed", message: describeCall(failure, this.work.id) });
  }
}

/** A promise that nobody has to wait for: its rejection must not end the process. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
