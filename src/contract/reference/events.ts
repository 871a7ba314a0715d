import { z } from "zod";
import { EVENT_KINDS, type EventKind } from "../../core/event-types.ts";
import { EVENT_PAYLOADS } from "../bodies.ts";
import { fieldsOf, type Schema } from "./fields.ts";

const SENDERS: Readonly<Record<EventKind["sender"], string>> = {
  user: "clients",
  worker: "the worker that holds the session's item",
  server: "the server alone",
};

/** What a worker may write beyond the types that have names of their own. */
const OPEN_TYPES =
  "| any other `agent.*`, any `span.*` | the worker that holds the session's item | – | whatever the worker sends |";

/** The types of events: who sends them, what they do to the queue, and what they have to carry. */
export function eventTypes(): string {
  const rows = Object.entries(EVENT_KINDS).map(
    ([type, { sender, needsAgent }]) =>
      `| \`${type}\` | ${SENDERS[sender]} | ${needsAgent ? "queued" : "–"} | ${fieldNames(type)} |`,
  );
  return `### Event types

*Queued*: the event gives the session something to do, so that a work item is made when it has none. An event may carry
more than the fields that are named; \`id\`, \`created_at\` and \`processed_at\` are the server's.

| Type | Sent by | Effect | Fields |
| --- | --- | --- | --- |
${rows.join("\n")}
| \`agent.message\` | the worker that holds the session's item | – | ${fieldNames("agent.message")} |
${OPEN_TYPES}

\`content\` is an array of blocks; a block of type \`text\` has its \`text\`.`;
}

function fieldNames(type: string): string {
  const payload = EVENT_PAYLOADS[type];
  if (payload === undefined) return "–";
  const schema = z.toJSONSchema(payload, { io: "input", unrepresentable: "any" }) as Schema;
  return fieldsOf(schema)
    .map(({ name, type: kind, required }) => `\`${name}\`: ${kind}${required ? "" : ", optional"}`)
    .join("; ");
}
