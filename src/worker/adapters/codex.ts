import type { NewSessionEvent } from "../handler.ts";
import {
  arrayOf,
  type CliAdapter,
  type CliReader,
  failed,
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

/** `codex exec --json`: lines about a thread, its turns, and the items that each turn is made of. */
export const codex: CliAdapter = {
  command: (conversation, args) => [
    ...["codex", "exec", "--json", "--skip-git-repo-check", ...args],
    ...(conversation === undefined ? [] : ["resume", conversation]),
    // The prompt is on standard input.
    "-",
  ],
  reader: () => new ThreadReader(),
};

class ThreadReader implements CliReader {
  #conversation: string | undefined;
  /** Items whose beginning was told. */
  readonly #begun = new Set<unknown>();
  /** The last error. Only the line after it says whether it ended the turn, or is being retried. */
  #error: string | undefined;

  get conversation(): string | undefined {
    return this.#conversation;
  }

  read(line: Line): readonly NewSessionEvent[] {
    const before = this.#error === undefined || repeats(line, this.#error) ? [] : [warned(this.#error)];
    this.#error = undefined;
    return [...before, ...this.#read(line)];
  }

  end(): readonly NewSessionEvent[] {
    return this.#error === undefined ? [] : [failed("codex_error", this.#error)];
  }

  #read(line: Line): readonly NewSessionEvent[] {
    switch (line.type) {
      case "thread.started":
        this.#conversation = stringOf(line.thread_id);
        return [];
      case "item.started":
        return this.#begin(objectOf(line.item));
      case "item.completed":
        return this.#complete(objectOf(line.item));
      case "turn.completed":
        return used(objectOf(line.usage));
      case "turn.failed":
        return [failed("turn_failed", objectOf(line.error).message)];
      case "error":
        this.#error = stringOf(line.message) ?? "";
        return [];
      default:
        return [];
    }
  }

  #begin(item: Line): readonly NewSessionEvent[] {
    const call = callOf(item);
    if (call === undefined || this.#begun.has(item.id)) return [];
    this.#begun.add(item.id);
    return [toolCalled(item.id, call.name, call.input)];
  }

  #complete(item: Line): readonly NewSessionEvent[] {
    switch (item.type) {
      case "agent_message":
        return said(item.text);
      case "reasoning":
      case "plan":
        return thought(item.text);
      case "todo_list":
        return thought(arrayOf(item.items).map(todo).join("\n"));
      case "error":
        return [warned(item.message)];
      default: {
        const call = callOf(item);
        if (call === undefined) return [];
        return [...this.#begin(item), toolReturned(item.id, call.output, call.isError)];
      }
    }
  }
}

/** A turn that fails says once more what the error was. */
const repeats = (line: Line, error: string): boolean =>
  line.type === "turn.failed" && objectOf(line.error).message === error;

const todo = (entry: unknown): string =>
  `${objectOf(entry).completed === true ? "[x]" : "[ ]"} ${objectOf(entry).text}`;

/** Of an agent that was started to help. */
function agentState(state: unknown): string {
  const { status, message } = objectOf(state);
  return typeof message === "string" ? `${status}: ${message}` : `${status}`;
}

interface Call {
  readonly name: string;
  readonly input: Line;
  readonly output: string;
  readonly isError: boolean;
}

/** An item that is the use of a tool. */
function callOf(item: Line): Call | undefined {
  const isError = item.status === "failed" || item.status === "declined";
  switch (item.type) {
    case "command_execution":
      return {
        name: "shell",
        input: { command: item.command },
        output: stringOf(item.aggregated_output) ?? "",
        isError: isError || (typeof item.exit_code === "number" && item.exit_code !== 0),
      };
    case "file_change":
      return { name: "file_change", input: { changes: item.changes }, output: stringOf(item.status) ?? "", isError };
    case "mcp_tool_call":
      return {
        name: `${item.server}.${item.tool}`,
        input: objectOf(item.arguments),
        output: stringOf(objectOf(item.error).message) ?? textOf(objectOf(item.result).content),
        isError,
      };
    case "collab_tool_call":
      return {
        name: stringOf(item.tool) ?? "collab",
        input: { prompt: item.prompt, agents: item.receiver_thread_ids },
        output: Object.values(objectOf(item.agents_states)).map(agentState).join("\n"),
        isError,
      };
    case "web_search":
      return { name: "web_search", input: { query: item.query }, output: "", isError };
    default:
      return undefined;
  }
}

const textOf = (content: unknown): string =>
  arrayOf(content)
    .map((block) => stringOf(objectOf(block).text) ?? `[${objectOf(block).type}]`)
    .join("\n");
