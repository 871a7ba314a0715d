/** The fault table: every way a call can fail, and what it looks like on the wire. Derived from nowhere else. */
export const FAULTS = {
  invalid_request: { status: 400, type: "invalid_request_error" },
  unauthenticated: { status: 401, type: "authentication_error" },
  forbidden: { status: 403, type: "permission_error" },
  not_found: { status: 404, type: "not_found_error" },
  /** 409 of the Work API and of environment delete, whose published type is `invalid_request_error`. */
  work_conflict: { status: 409, type: "invalid_request_error" },
  conflict: { status: 409, type: "conflict_error" },
  precondition_failed: { status: 412, type: "precondition_failed_error" },
  rate_limited: { status: 429, type: "rate_limit_error" },
  internal: { status: 500, type: "api_error" },
  unavailable: { status: 503, type: "api_error" },
} as const;

export type FaultKind = keyof typeof FAULTS;

/** Why a call was refused. A plain value: creating one takes no stack trace, and nobody has to catch it. */
export interface Fault {
  readonly kind: FaultKind;
  /** One sentence for a person, which says what to do next where there is something to do. */
  readonly message: string;
  /** The offending parameter of an `invalid_request`. */
  readonly param?: string;
  /** After how many seconds a repeat makes sense, for `rate_limited` and `unavailable`. */
  readonly retryAfterSeconds?: number;
  /** The call may have done what it was to do, and would do it again. */
  readonly mayHaveHappened?: true;
}

export interface Refused {
  readonly refused: Fault;
}

export interface Done<T> {
  readonly refused?: undefined;
  readonly value: T;
}

export type Outcome<T> = Done<T> | Refused;

export const done = <T>(value: T): Done<T> => ({ value });

export function refuse(kind: FaultKind, message: string, param?: string): Refused {
  return { refused: param === undefined ? { kind, message } : { kind, message, param } };
}

/** The one way a fault crosses code that works with exceptions: the HTTP edge, and the client of it. */
export class FaultError extends Error {
  readonly fault: Fault;

  constructor(fault: Fault, options?: ErrorOptions) {
    super(fault.message, options);
    this.name = "FaultError";
    this.fault = fault;
  }
}
