import type { NewSessionEvent } from "../handler.ts";
import {
  type CliAdapter,
  type CliReader,
  failed,
  type Line,
  objectOf,
  said,
  stringOf,
  toolCalled,
  toolReturned,
  used,
  warned,
} from "./adapter.ts";

/** `gemini --output-format stream-json`: one line per event, with messages in pieces. */
export const gemini: CliAdapter = {
  command: (conversation, args) => [
    ...["gemini", "--output-format", "stream-json"],
    ...(conversation === undefined ? [] : ["--resume", conversation]),
    ...args,
  ],
  reader: () => new StreamReader(),
};

class StreamReader implements CliReader {
  #conversation: string | undefined;
  /** Of the message that is being printed. */
  #pieces: string[] = [];

  get conversation(): string | undefined {
    return this.#conversation;
  }

  read(line: Line): readonly NewSessionEvent[] {
    if (line.type === "message" && line.role === "assistant") {
      const before = line.delta === true ? [] : this.end();
      this.#pieces.push(stringOf(line.content) ?? "");
      return before;
    }
    return [...this.end(), ...this.#other(line)];
  }

  end(): readonly NewSessionEvent[] {
    const text = this.#pieces.join("");
    this.#pieces = [];
    return said(text);
  }

  #other(line: Line): readonly NewSessionEvent[] {
    switch (line.type) {
      case "init":
        this.#conversation = stringOf(line.session_id);
        return [];
      case "tool_use":
        return [toolCalled(line.tool_id, line.tool_name, line.parameters)];
      case "tool_result": {
        const text = stringOf(line.output) ?? stringOf(objectOf(line.error).message) ?? "";
        return [toolReturned(line.tool_id, text, line.status === "error")];
      }
      case "error":
        return [line.severity === "warning" ? warned(line.message) : failed("gemini_error", line.message)];
      case "result": {
        const usage = used(objectOf(line.stats));
        const { type, message } = objectOf(line.error);
        return line.status === "error" ? [...usage, failed(stringOf(type) ?? "gemini_error", message)] : usage;
      }
      default:
        return [];
    }
  }
}
