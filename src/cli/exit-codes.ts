/** Every way in which a command can end. Help and reference are derived from this table; programs may rely on it. */
export const EXIT_CODES = {
  ok: { code: 0, meaning: "All that was asked for is done." },
  failed: { code: 1, meaning: "Something else went wrong, or a check failed; the message says what." },
  usage: { code: 2, meaning: "The command line, a setting, or what was sent is not valid." },
  unreachable: { code: 3, meaning: "No server answers at the URL." },
  unauthenticated: { code: 4, meaning: "No token was given, or the server does not accept it." },
  forbidden: { code: 5, meaning: "The token is valid, but its role does not allow this." },
  not_found: { code: 6, meaning: "What was named does not exist." },
  conflict: { code: 7, meaning: "The state of the thing does not allow this, such as a second archive." },
  busy: { code: 8, meaning: "The server is there, but takes no calls at the moment; try again." },
  session_error: { code: 10, meaning: "The session ended its turn with an error." },
  cancelled: { code: 11, meaning: "The session was cancelled or archived before its turn ended." },
  retries_exhausted: { code: 12, meaning: "Every worker that took the session lost its lease; it was given up." },
  interrupted: {
    code: 130,
    meaning: "Ended by Ctrl-C before it was done (a server or a worker: by a second one).",
  },
  terminated: {
    code: 143,
    meaning: "Ended by SIGTERM before it was done (a server or a worker: by a second one).",
  },
} as const;

export type ExitName = keyof typeof EXIT_CODES;

/** What an answer of the server means for the exit code. */
export function exitOfStatus(status: number): ExitName {
  switch (status) {
    case 400:
      return "usage";
    case 401:
      return "unauthenticated";
    case 403:
      return "forbidden";
    case 404:
      return "not_found";
    case 409:
    case 412:
      return "conflict";
    case 429:
    case 503:
      return "busy";
    default:
      return "failed";
  }
}

/** A command cannot go on: one sentence, what to do next, and how the process ends. */
export class CommandError extends Error {
  readonly exit: ExitName;
  readonly hint: string | undefined;

  constructor(exit: ExitName, message: string, hint?: string) {
    super(message);
    this.name = "CommandError";
    this.exit = exit;
    this.hint = hint;
  }
}
