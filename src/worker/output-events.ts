import { event as eventSchema } from "../contract/bodies.ts";
import { LIMITS } from "../contract/limits.ts";
import { eventKind } from "../core/event-types.ts";
import type { NewSessionEvent } from "./handler.ts";

/** What a command writes: `text`, a message per line; `jsonl`, an event per line. */
export type OutputMode = "text" | "jsonl";

export const textEvent = (text: string): NewSessionEvent => ({
  type: "agent.message",
  content: [{ type: "text", text }],
});

/** A line that could not become the event that it should have been: the session is told, and nothing of it gets lost. */
export const unusableLine = (line: string, why: string): readonly NewSessionEvent[] => [
  {
    type: "session.error",
    error: { type: "invalid_output", message: `A line of the command's output is not a valid event: ${why}.` },
  },
  textEvent(line),
];

/** JSON.stringify runs out of stack at some thousands of levels, so JSON.parse reads what it cannot write. */
const { max: MAX_LEVELS } = LIMITS.jsonDepth;

/** The event that a line stands for, or what becomes of the line when the event cannot be sent to any server. */
export const sendable = (event: NewSessionEvent, line: string): readonly NewSessionEvent[] =>
  isDeeper(event, MAX_LEVELS) ? unusableLine(line, `it is nested more than ${MAX_LEVELS} levels deep`) : [event];

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === "object" &&
  value !== null &&
  (levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1)));

/** The events that a line of output stands for. */
export function lineEvents(line: string, mode: OutputMode): readonly NewSessionEvent[] {
  if (mode === "text") return [textEvent(line)];
  const parsed = parse(line);
  if (parsed === undefined) return unusableLine(line, "it is not JSON");
  const checked = eventSchema.safeParse(parsed.value);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    return unusableLine(line, [issue?.path.join("."), issue?.message].filter(Boolean).join(" "));
  }
  if (eventKind(checked.data.type)?.sender !== "worker") {
    return unusableLine(line, `${checked.data.type} is not for workers to send`);
  }
  return [checked.data];
}

function parse(line: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(line) };
  } catch {
    return undefined;
  }
}
