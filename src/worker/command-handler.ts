import type { Readable } from "node:stream";
import { wait } from "../client/wait.ts";
import type { Session, SessionEvent, Work } from "../contract/shapes.ts";
import { type Handler, type HandlerContext, TurnFailed } from "./handler.ts";
import { lineEvents, type OutputMode } from "./output-events.ts";
import { LineSplitter } from "./output-lines.ts";
import { OutputQueue } from "./output-queue.ts";
import { readPipe, readTail } from "./pipes.ts";
import { commandEnvironment, type Exit, type ProcessGroup, startGroup } from "./process-group.ts";

export interface CommandHandlerOptions {
  /** The program and its arguments; no shell is involved. */
  readonly command: readonly string[];
  /** The variables that the command inherits. The worker's own secrets are taken out. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the command's standard output is made of. Default `text`. */
  readonly output?: OutputMode | undefined;
}

/** What a command reads from its standard input. */
interface CommandTurn {
  readonly work: Work;
  readonly session: Session;
  readonly events: readonly SessionEvent[];
}

/** How long pipes may stay open after the command has ended, before those who hold them are killed. */
const PIPE_GRACE_MS = 2_000;

/**
 * A handler that runs a command per turn, in the session's folder and a process group of its own. The turn is written to
 * its standard input as one JSON object; its standard output becomes events. Status 0 is success.
 */
export function createCommandHandler({ command, env, output = "text" }: CommandHandlerOptions): Handler {
  if (command.length === 0) throw new TypeError("command must name a program.");
  return async (context) => {
    const events = context.input.takeAll();
    if (events.length === 0) return;
    const group = startGroup(command, {
      cwd: context.workspace,
      env: commandEnvironment(env, {
        CAPSTAN_SESSION_ID: context.session.id,
        CAPSTAN_WORK_ID: context.work.id,
        CAPSTAN_ENVIRONMENT_ID: context.work.environment_id,
        CAPSTAN_URL: context.client.baseUrl,
      }),
    });
    const terminate = () => group.kill("SIGTERM");
    const kill = () => group.kill("SIGKILL");
    context.signal.addEventListener("abort", terminate);
    context.forced.addEventListener("abort", kill);
    try {
      await runCommand(group, { work: context.work, session: context.session, events }, context.send, output);
    } finally {
      context.signal.removeEventListener("abort", terminate);
      context.forced.removeEventListener("abort", kill);
      // Whatever the command left behind must not go on writing into a workspace whose turn is over.
      kill();
    }
  };
}

async function runCommand(
  group: ProcessGroup,
  turn: CommandTurn,
  send: HandlerContext["send"],
  mode: OutputMode,
): Promise<void> {
  const queue = new OutputQueue(send);
  const cut = new AbortController();
  const over = new AbortController();
  const exited = group.exited.then((exit) => {
    wait(PIPE_GRACE_MS, over.signal).then(
      () => {
        group.kill("SIGKILL");
        cut.abort();
      },
      () => {},
    );
    return exit;
  });
  writeTurn(group, turn);
  try {
    const output = queueOutput(group.stdout, cut.signal, mode, queue);
    const [exit, stderrTail] = await Promise.all([exited, readTail(group.stderr, cut.signal), output]);
    await queue.flush();
    if (exit.code !== 0) throw commandFailed(exit, stderrTail);
  } finally {
    over.abort();
    for (const pipe of [group.stdin, group.stdout, group.stderr]) pipe.destroy();
  }
}

function writeTurn(group: ProcessGroup, turn: CommandTurn): void {
  // A command need not read what it is told: EPIPE is its choice.
  group.stdin.on("error", () => {});
  group.stdin.end(`${JSON.stringify(turn)}\n`);
}

async function queueOutput(stdout: Readable, cut: AbortSignal, mode: OutputMode, queue: OutputQueue): Promise<void> {
  const splitter = new LineSplitter();
  const pushAll = async (lines: Iterable<string>) => {
    for (const line of lines) for (const event of lineEvents(line, mode)) await queue.push(event, line);
  };
  for await (const chunk of readPipe(stdout, cut)) await pushAll(splitter.push(chunk));
  await pushAll(splitter.end());
}

function commandFailed({ code, signal }: Exit, stderrTail: string): TurnFailed {
  const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
  return new TurnFailed("command_failed", `The command ${how}.`, {
    exit_code: code,
    ...(signal === null ? {} : { signal }),
    stderr_tail: stderrTail,
  });
}
