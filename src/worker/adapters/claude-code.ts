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
} from "./adapter.ts";

/** `claude -p --output-format stream-json`: messages of the Messages API, and lines about the run around them. */
export const claudeCode: CliAdapter = {
  command: (conversation, args) => [
    ...["claude", "--print", "--output-format", "stream-json", "--verbose"],
    ...(conversation === undefined ? [] : ["--resume", conversation]),
    ...args,
  ],
  reader: () => new MessageReader(),
};

/** Prints the same kinds of lines. */
export const qwenCode: CliAdapter = {
  command: (conversation, args) => [
    ...["qwen", "--output-format", "stream-json"],
    ...(conversation === undefined ? [] : ["--resume", conversation]),
    ...args,
  ],
  reader: () => new MessageReader(),
};

class MessageReader implements CliReader {
  #conversation: string | undefined;

  get conversation(): string | undefined {
    return this.#conversation;
  }

  read(line: Line): readonly NewSessionEvent[] {
    this.#conversation = stringOf(line.session_id) ?? this.#conversation;
    switch (line.type) {
      case "assistant":
        return contentOf(line).flatMap(line.parent_tool_use_id == null ? spoken : spokenBelow);
      case "user":
        return contentOf(line).flatMap(returned);
      case "result":
        return ended(line);
      default:
        return [];
    }
  }

  end(): readonly NewSessionEvent[] {
    return [];
  }
}

const contentOf = (line: Line): readonly Line[] => arrayOf(objectOf(line.message).content).filter(isObject);

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

/** The result repeats the last message, which has been read already. */
function ended(line: Line): readonly NewSessionEvent[] {
  const usage = used(objectOf(line.usage));
  if (line.is_error !== true) return usage;
  const reasons = [line.result, objectOf(line.error).message, ...arrayOf(line.errors)];
  const reason = reasons.find((text) => typeof text === "string" && text !== "");
  return [...usage, failed(stringOf(line.subtype) ?? "error", reason ?? `It ended with ${line.subtype}.`)];
}
