import type { NewSessionEvent } from "../handler.ts";
import {
  arrayOf,
  type CliAdapter,
  type CliReader,
  failed,
  isObject,
  type Line,
  objectOf,
  said,
  stringOf,
  thought,
  toolCalled,
  toolReturned,
  used,
  warned,
} from "./adapter.ts";

/** `claude -p --output-format stream-json`: messages of the Messages API, and lines about the run around them. */
export const claudeCode: CliAdapter = {
  command: (conversation, args) => [
    ...["claude", "--print", "--output-format", "stream-json", "--verbose"],
    ...(conversation === undefined ? [] : ["--resume", conversation]),
    ...args,
  ],
  reader: () => new MessageReader((line) => (typeof line.error === "string" ? ["", textOf(line)] : undefined)),
};

/** Prints the same kinds of lines, but a request that failed only as words of the agent in a run that went well. */
export const qwenCode: CliAdapter = {
  command: (conversation, args) => [
    ...["qwen", "--output-format", "stream-json"],
    ...(conversation === undefined ? [] : ["--resume", conversation]),
    ...args,
  ],
  reader: () => new MessageReader(qwenFailure),
};

/** What the agent had said before a request failed, and why it failed. */
type Failure = readonly [said: string, reason: string];

/** An answer that only quotes such words has used tokens, one that was not completed has not. */
function qwenFailure(line: Line): Failure | undefined {
  if (Number(objectOf(objectOf(line.message).usage).output_tokens) > 0) return undefined;
  const [, before, reason] = /^([\s\S]*?)\[API Error: ([\s\S]*)\]$/.exec(textOf(line)) ?? [];
  return before === undefined || reason === undefined ? undefined : [before, reason];
}

class MessageReader implements CliReader {
  readonly #failureOf: (line: Line) => Failure | undefined;
  #conversation: string | undefined;
  /** Of the request that failed last. It is only known from the line after it whether the run goes on. */
  #failure: string | undefined;

  /** @param failureOf whether a line of the assistant tells of a request that failed */
  constructor(failureOf: (line: Line) => Failure | undefined) {
    this.#failureOf = failureOf;
  }

  get conversation(): string | undefined {
    return this.#conversation;
  }

  read(line: Line): readonly NewSessionEvent[] {
    this.#conversation = stringOf(line.session_id) ?? this.#conversation;
    if (line.type === "result") return this.#ended(line);
    const before = this.#failure === undefined ? [] : [warned(this.#failure)];
    this.#failure = undefined;
    return [...before, ...this.#other(line)];
  }

  end(): readonly NewSessionEvent[] {
    return this.#failure === undefined ? [] : [failed(API_ERROR, this.#failure)];
  }

  #other(line: Line): readonly NewSessionEvent[] {
    switch (line.type) {
      case "assistant":
        return line.parent_tool_use_id == null ? this.#spoken(line) : contentOf(line).flatMap(spokenBelow);
      case "user":
        return contentOf(line).flatMap(returned);
      case "system":
        return line.subtype === "api_retry" ? [retried(line)] : [];
      default:
        return [];
    }
  }

  #spoken(line: Line): readonly NewSessionEvent[] {
    const failure = this.#failureOf(line);
    if (failure === undefined) return contentOf(line).flatMap(spoken);
    this.#failure = failure[1];
    return said(failure[0]);
  }

  /** The result repeats the last message, which has been read already. */
  #ended(line: Line): readonly NewSessionEvent[] {
    const usage = used(objectOf(line.usage));
    const failure = this.#failure;
    this.#failure = undefined;
    if (line.is_error !== true) return failure === undefined ? usage : [...usage, failed(API_ERROR, failure)];
    const reasons = [line.result, objectOf(line.error).message, ...arrayOf(line.errors), failure];
    const reason = reasons.find((text) => typeof text === "string" && text !== "");
    // A run that ends with a request that failed is a "success" in which there is an error.
    const type = line.subtype === "success" ? API_ERROR : (stringOf(line.subtype) ?? "error");
    return [...usage, failed(type, reason ?? `It ended with ${line.subtype}.`)];
  }
}

const API_ERROR = "api_error";

const contentOf = (line: Line): readonly Line[] => arrayOf(objectOf(line.message).content).filter(isObject);

const textOf = (line: Line): string =>
  contentOf(line)
    .map((block) => stringOf(block.text) ?? "")
    .join("");

function spoken(block: Line): readonly NewSessionEvent[] {
  switch (block.type) {
    case "text":
      return said(block.text);
    case "thinking":
      return thought(block.thinking);
    case "tool_use":
      return [toolCalled(block.id, block.name, block.input)];
    default:
      return [];
  }
}

/** What a sub-agent says is for the agent that started it, and no answer to the user. */
const spokenBelow = (block: Line): readonly NewSessionEvent[] =>
  block.type === "text" ? thought(block.text) : spoken(block);

function returned(block: Line): readonly NewSessionEvent[] {
  if (block.type !== "tool_result") return [];
  const text =
    stringOf(block.content) ??
    arrayOf(block.content)
      .map((part) => stringOf(objectOf(part).text) ?? `[${objectOf(part).type}]`)
      .join("\n");
  return [toolReturned(block.tool_use_id, text, block.is_error === true)];
}

const retried = ({ error, error_status, attempt, max_retries }: Line): NewSessionEvent =>
  warned(
    `A request to the model failed (${[error, error_status].filter(Boolean).join(", ")}): retry ${attempt} of ${max_retries}.`,
  );
