import { type Handler, type HandlerContext, TurnFailed } from "./handler.ts";
import { lineEvents, type OutputMode } from "./output-events.ts";
import { type CommandExit, type CommandLine, runTurnCommand } from "./turn-command.ts";

export interface CommandHandlerOptions extends Omit<CommandLine, "command"> {
  /** The program and its arguments; no shell is involved. */
  readonly command: readonly string[];
  /** What the command's standard output is made of. Default `text`. */
  readonly output?: OutputMode | undefined;
}

/**
 * A handler that runs a command per turn, in the session's folder and a process group of its own. The turn is written to
 * its standard input as one JSON object, with the input that nobody has answered; its standard output becomes events.
 * Status 0 is success. Nothing is kept between two runs, so there is nothing to keep warm: input that comes meanwhile, or
 * that was too much for one turn, is the next turn's, on a new item.
 */
export function createCommandHandler({ output = "text", ...options }: CommandHandlerOptions): Handler {
  if (options.command.length === 0) throw new TypeError("command must name a program.");
  return async (context: HandlerContext) => {
    const events = context.input.takeAll();
    if (events.length === 0) return;
    const { work, session } = context;
    const exit = await runTurnCommand(context, options, {
      stdin: `${JSON.stringify({ work, session, events })}\n`,
      events: (line) => lineEvents(line, output),
    });
    if (exit.code !== 0) throw commandFailed(exit);
  };
}

export function commandFailed({ code, signal, stderrTail }: CommandExit): TurnFailed {
  const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
  return new TurnFailed("command_failed", `The command ${how}.`, {
    exit_code: code,
    ...(signal === null ? {} : { signal }),
    stderr_tail: stderrTail,
  });
}
