import { constants } from "node:fs";
import type { SessionEvent } from "../contract/shapes.ts";
import { type CliAdapter, isObject } from "./adapters/adapter.ts";
import { commandFailed } from "./command-handler.ts";
import { type Handler, type NewSessionEvent, textOf } from "./handler.ts";
import { openInside } from "./tools/confined.ts";
import { replaceContent } from "./tools/write.ts";
import { type CommandLine, runTurnCommand } from "./turn-command.ts";

export interface CliHandlerOptions extends Omit<CommandLine, "command"> {
  readonly adapter: CliAdapter;
  /** Further arguments for the CLI, such as those that say what it may do. Default: none. */
  readonly args?: readonly string[] | undefined;
  /** Instead of the adapter's own command line: a program that prints the same lines. */
  readonly command?: CliAdapter["command"] | undefined;
}

/** Where the CLI's id of the conversation is kept. The conversation itself is on this machine, too. */
const CONVERSATION_FILE = ".capstan-conversation";
/** It becomes an argument, and the CLI can write what it likes into its folder: nothing that looks like a flag. */
const CONVERSATION = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;

/**
 * A handler that gives each turn's messages to a coding CLI as one prompt on its standard input, and turns the JSON lines
 * that it prints into events. The CLI goes on with its own conversation from turn to turn.
 */
export function createCliHandler({ adapter, args = [], command, ...options }: CliHandlerOptions): Handler {
  return async (context) => {
    const events = context.input.takeAll();
    if (events.length === 0) return;
    const conversation = await rememberedConversation(context.workspace);
    const line = command === undefined ? adapter.command(conversation, args) : command(conversation, args);
    const reader = adapter.reader();
    const exit = await runTurnCommand(
      context,
      { ...options, command: line },
      {
        stdin: promptOf(events),
        events: (text) => {
          const parsed = parsedLine(text);
          return parsed === undefined ? [plainOutput(text)] : reader.read(parsed);
        },
        end: () => reader.end(),
      },
    );
    if (reader.conversation !== undefined && reader.conversation !== conversation) {
      await replaceContent(context.workspace, CONVERSATION_FILE, reader.conversation, constants.O_CREAT);
    }
    if (exit.code !== 0) throw commandFailed(exit);
  };
}

const promptOf = (events: readonly SessionEvent[]): string =>
  events
    .map(textOf)
    .filter((text) => text !== "")
    .join("\n\n");

async function rememberedConversation(workspace: string): Promise<string | undefined> {
  try {
    const file = await openInside(workspace, CONVERSATION_FILE, constants.O_RDONLY);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
      const text = buffer.toString("utf8", 0, bytesRead).trim();
      return CONVERSATION.test(text) ? text : undefined;
    } finally {
      await file.close();
    }
  } catch {
    // None yet, or the CLI has made something else of the file: then a new conversation begins.
    return undefined;
  }
}

function parsedLine(text: string) {
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** CLIs print notes of their own between the lines that are meant for programs. */
const plainOutput = (text: string): NewSessionEvent => ({ type: "span.output", content: [{ type: "text", text }] });
