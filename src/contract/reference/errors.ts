import { FAULTS, type FaultKind } from "../../core/faults.ts";
import { COMMON_FAULTS, OPERATION_NAMES, OPERATIONS, type Operation } from "../operations.ts";

interface Advice {
  /** What it means, in a sentence. */
  readonly means: string;
  /** What whoever gets it should do. */
  readonly todo: string;
  /** Whether the same call may succeed later without anything else being changed. */
  readonly repeat: string;
}

const ADVICE: Readonly<Record<FaultKind, Advice>> = {
  invalid_request: {
    means:
      "The call is not well-formed, or asks for something that cannot be: `param` names the offending parameter, the message says what would be right. A body that is not JSON or too large is this error too, and so is an environment of type `cloud` where one with a queue is needed.",
    todo: "Correct the call. In a batch of events nothing was written, and `param` names the index: `events[2].content`.",
    repeat: "no",
  },
  unauthenticated: {
    means:
      "There is no `Authorization: Bearer …` header, or its token is malformed, unknown, expired or revoked. A `Work-Token` is answered so as soon as its hand-out is over.",
    todo: "With a `Work-Token`: drop the item, another worker may have it. Otherwise: get a valid token from an admin (`capstan token create`).",
    repeat: "no",
  },
  forbidden: {
    means:
      "The token is valid, but its role may not make this call, or it is bound to another environment or hand-out. Whether the thing exists is not told. A worker that sends events to a session whose item it does not hold gets this as well.",
    todo: "Use a token of a role that [the call](api.md) lists. As a worker: drop the session.",
    repeat: "no",
  },
  not_found: {
    means:
      "What the path names does not exist, was deleted, or lies in another environment; also a malformed id in a path.",
    todo: "Check the id and the environment. A list shows what there is.",
    repeat: "no",
  },
  work_conflict: {
    means:
      "The state of the work item refuses this call, or the item belongs to another worker. Also: an environment cannot be deleted while sessions refer to it. On the wire its type is `invalid_request_error`; the status tells it from a 400.",
    todo: "As a worker: drop the item without touching it and poll for the next one. The [state table](state-machine.md) says what is possible when.",
    repeat: "no; the Work API says so with `x-should-retry: false`",
  },
  conflict: {
    means:
      "The state of the thing refuses this call: it is archived, or an agent has got a newer version than the one that the update names.",
    todo: "Read it again and decide anew.",
    repeat: "no",
  },
  precondition_failed: {
    means:
      "`expected_last_heartbeat` is not the item's last heartbeat, so somebody else has beaten since, or an answer was lost.",
    todo: "If the call repeats one whose answer was lost, declare that: send the same `Idempotency-Key`, or `x-stainless-retry-count`. Otherwise the item is no longer yours: drop it.",
    repeat: "no; `x-should-retry: false`",
  },
  rate_limited: {
    means: "The server holds as many waiting polls, or open streams, as it may.",
    todo: "Wait as long as `retry-after` says. If it goes on: raise the limit, or run fewer workers per server.",
    repeat: "yes, after `retry-after` seconds",
  },
  internal: {
    means: "A defect of the server. The answer tells nothing about it; the log does, under the request id.",
    todo: "Look the request id up in the server's log and report what stands there.",
    repeat: "perhaps, with growing pauses",
  },
  unavailable: {
    means: "The server is shutting down, or its database cannot be used right now. The message tells which.",
    todo: "Repeat, unless the answer has `x-should-retry: false`: then a write may have happened that a repeat would do a second time, such as a new session. Look before you send it again. Whatever was answered 200 has happened.",
    repeat: "yes, after `retry-after` seconds; not with `x-should-retry: false`",
  },
};

/** Every way a call can fail as a page of Markdown. */
export function errorsReference(): string {
  const kinds = Object.keys(FAULTS) as FaultKind[];
  return `# Errors

A call that is refused (4xx) changes nothing. Every error has this body:

\`\`\`json
{"type":"error","request_id":"…","error":{"type":"invalid_request_error","message":"limit must be a whole number from 1 to 100.","param":"limit"}}
\`\`\`

\`message\` is one sentence for a person. Programs go by the status and \`error.type\`. \`request_id\` is also the header
\`x-request-id\` and stands in the server's log. \`param\` comes with a 400 that is about one parameter.

Checks are made in the order 401, 403, 400, 404, 409 and 412 ([why](decisions/0004-order-of-checks.md)).

| Status | \`error.type\` | Kind | Repeat it? |
| --- | --- | --- | --- |
${kinds.map((kind) => `| ${FAULTS[kind].status} | \`${FAULTS[kind].type}\` | [${kind}](#${kind}) | ${ADVICE[kind].repeat} |`).join("\n")}

What does not even become a request is answered in the same shape, and its connection is closed: 400 for bytes that are not HTTP and for headers
that are too large, 408 for a request that does not arrive in time ([settings](settings.md): \`--headers-timeout-ms\`, \`--request-timeout-ms\`,
\`--max-header-bytes\`).

${kinds.map(errorText).join("\n\n")}
`;
}

function errorText(kind: FaultKind): string {
  const { means, todo } = ADVICE[kind];
  const calls = OPERATION_NAMES.filter((name) => (OPERATIONS[name] as Operation).errors.includes(kind));
  const where = COMMON_FAULTS.includes(kind)
    ? "Every call may answer it."
    : calls.length > OPERATION_NAMES.length / 2
      ? "Most calls may answer it; the [API reference](api.md) says which."
      : `Calls: ${calls.map((name) => `[${name}](api.md#${name.toLowerCase()})`).join(", ")}.`;
  return `## ${kind}\n\n${FAULTS[kind].status} \`${FAULTS[kind].type}\`. ${means}\n\n**What to do:** ${todo}\n\n${where}`;
}
