import type { NewSessionEvent } from "../handler.ts";
import { textEvent } from "../output-events.ts";

/** A line of a CLI's output, as it is parsed. */
export type Line = Readonly<Record<string, unknown>>;

/** Reads what one run of a CLI prints. Some lines only mean something together with those before them. */
export interface CliReader {
  /** The session events that a line stands for; none for what is of no interest to whoever follows the session. */
  read(line: Line): readonly NewSessionEvent[];
  /** What was held back until the output ended. */
  end(): readonly NewSessionEvent[];
  /** The CLI's own id of the conversation, once it has been printed: with it a later run goes on. */
  readonly conversation: string | undefined;
}

/** What a coding CLI is called with, and what it prints. */
export interface CliAdapter {
  /**
   * @param conversation of an earlier run that is to be gone on with
   * @param args further arguments, such as those that say what the CLI may do
   */
  command(conversation: string | undefined, args: readonly string[]): readonly string[];
  reader(): CliReader;
}

/** Of a tool's result: more than this is for the CLI, and not for whoever follows the session. */
const MAX_RESULT_CHARACTERS = 16_384;

export const isObject = (value: unknown): value is Line =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const objectOf = (value: unknown): Line => (isObject(value) ? value : {});
export const arrayOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const stringOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

const blocks = (text: string) => [{ type: "text", text }];

/** No event for a text that is not there. */
export const said = (text: unknown): readonly NewSessionEvent[] =>
  typeof text === "string" && text.trim() !== "" ? [textEvent(text)] : [];

export const thought = (text: unknown): readonly NewSessionEvent[] =>
  typeof text === "string" && text.trim() !== "" ? [{ type: "agent.thinking", content: blocks(text) }] : [];

/** The CLI uses a tool of its own, which nobody else has to answer: so it has a `call_id`, and its result is an `agent.*`. */
export const toolCalled = (callId: unknown, name: unknown, input: unknown): NewSessionEvent => ({
  type: "agent.tool_use",
  call_id: String(callId),
  name: String(name),
  input: objectOf(input),
});

export function toolReturned(callId: unknown, text: string, isError: boolean): NewSessionEvent {
  const cut = text.length - MAX_RESULT_CHARACTERS;
  const shown = cut > 0 ? `${text.slice(0, MAX_RESULT_CHARACTERS)}\n[… ${cut} characters left out]` : text;
  return { type: "agent.tool_result", call_id: String(callId), content: blocks(shown), is_error: isError };
}

export const failed = (type: string, message: unknown): NewSessionEvent => ({
  type: "session.error",
  error: { type, message: stringOf(message) ?? "The CLI gave no reason." },
});

export const warned = (message: unknown): NewSessionEvent => ({
  type: "span.warning",
  content: blocks(stringOf(message) ?? ""),
});

/** What the run has used, in the CLI's own words. */
export const used = (usage: Line): readonly NewSessionEvent[] =>
  Object.keys(usage).length === 0 ? [] : [{ type: "span.usage", usage }];
