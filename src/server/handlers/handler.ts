import type { ServerResponse } from "node:http";
import type { OperationName, OperationRequest, OperationResponse } from "../../contract/operations.ts";
import { noSuchSession, notSelfHosted } from "../../core/commands/command.ts";
import { done, type Outcome, refuse } from "../../core/faults.ts";
import type { EnvironmentRecord } from "../../core/records.ts";
import type { Store } from "../../storage/store.ts";
import type { Caller } from "../caller.ts";
import type { EventHub } from "../event-hub.ts";
import type { Authenticator, Principal } from "../tokens.ts";
import type { WaitingRoom } from "../waiting-room.ts";
import type { WorkTokens } from "../work-tokens.ts";

/** What handlers work with. */
export interface Services {
  readonly store: Store;
  readonly tokens: Authenticator;
  readonly workTokens: WorkTokens;
  readonly waitingRoom: WaitingRoom;
  readonly events: EventHub;
}

/** An answer that is written as it happens. */
export class StreamAnswer {
  readonly start: (response: ServerResponse, requestId: string) => void;

  constructor(start: (response: ServerResponse, requestId: string) => void) {
    this.start = start;
  }
}

export interface Call<Name extends OperationName> extends OperationRequest<Name> {
  readonly services: Services;
  readonly principal: Principal;
  readonly caller: Caller;
  readonly setHeader: (name: string, value: string) => void;
}

type Answer<Name extends OperationName> = Name extends "streamEvents"
  ? StreamAnswer
  : OperationResponse<Name> | StreamAnswer;

export type Handler<Name extends OperationName> = (call: Call<Name>) => Promise<Outcome<Answer<Name>>>;

export type Handlers = { readonly [Name in OperationName]: Handler<Name> };

/** Turns the value of an outcome into what the wire shows. */
export function answer<T, R>(outcome: Outcome<T>, present: (value: T) => R): Outcome<R> {
  return outcome.refused ? outcome : done(present(outcome.value));
}

/** For reads of the Work API, whose commands check the same. */
export async function queueOf(store: Store, environmentId: string): Promise<Outcome<EnvironmentRecord>> {
  const environment = await store.getEnvironment(environmentId);
  if (environment === undefined) return refuse("not_found", `Environment ${environmentId} does not exist.`);
  return environment.selfHosted ? done(environment) : notSelfHosted(environmentId);
}

export async function sessionOf(store: Store, sessionId: string) {
  const session = await store.getSession(sessionId);
  return session === undefined ? noSuchSession(sessionId) : done(session);
}
