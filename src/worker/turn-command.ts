import { wait } from "../client/wait.ts";
import type { HandlerContext, NewSessionEvent } from "./handler.ts";
import { LineSplitter } from "./output-lines.ts";
import { OutputQueue } from "./output-queue.ts";
import { readPipe, readTail } from "./pipes.ts";
import { commandEnvironment, type Exit, type ProcessGroup, startGroup } from "./process-group.ts";
import { type Confinement, confine } from "./sandbox/index.ts";

export interface CommandLine {
  readonly command: readonly string[];
  /** The variables that the command inherits. The worker's own secrets are taken out. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the command may see and use. Default: all that the worker may. */
  readonly confinement?: Confinement | undefined;
}

export interface Conversation {
  /** What the command reads from its standard input. */
  readonly stdin: string;
  /** The events that a line of its standard output stands for. */
  events(line: string): readonly NewSessionEvent[];
  /** What its end stands for, where lines were held back for it. */
  end?(): readonly NewSessionEvent[];
}

export interface CommandExit extends Exit {
  /** The last 4 KB of its standard error. */
  readonly stderrTail: string;
}

/** How long pipes may stay open after the command has ended, before those who hold them are killed. */
const PIPE_GRACE_MS = 2_000;

type Turn = Pick<
  HandlerContext,
  "work" | "session" | "workspace" | "client" | "workToken" | "signal" | "forced" | "send"
>;

/**
 * Runs a command to its end, in the session's folder. It is told to end by SIGTERM when the turn has to, and killed when
 * the time for that is over. Its output is read only as fast as the server takes the events.
 *
 * @throws CommandNotStarted, or what `send` rejects with
 */
export async function runTurnCommand(
  turn: Turn,
  { command, env, confinement = {} }: CommandLine,
  conversation: Conversation,
): Promise<CommandExit> {
  const own = commandEnvironment(env, handOutVariables(turn));
  const confined = confine({ command, env: own }, confinement, turn.workspace);
  const group = startGroup(confined.command, { cwd: turn.workspace, env: confined.env });
  const terminate = () => group.kill("SIGTERM");
  const kill = () => group.kill("SIGKILL");
  turn.signal.addEventListener("abort", terminate);
  turn.forced.addEventListener("abort", kill);
  // What came before the command takes its time, and an abort that is past is not told again.
  if (turn.signal.aborted) terminate();
  if (turn.forced.aborted) kill();
  try {
    return await converse(group, conversation, turn);
  } finally {
    turn.signal.removeEventListener("abort", terminate);
    turn.forced.removeEventListener("abort", kill);
    // When the turn failed beside its command, that still runs.
    kill();
  }
}

/** What a process needs to act for the hand-out, and nothing that is good for more than that. */
export const handOutVariables = ({ work, workToken, client }: Pick<Turn, "work" | "workToken" | "client">) => ({
  CAPSTAN_URL: client.baseUrl,
  CAPSTAN_WORK_TOKEN: workToken,
  CAPSTAN_WORK_ID: work.id,
  CAPSTAN_ENVIRONMENT_ID: work.environment_id,
  CAPSTAN_SESSION_ID: work.data.id,
});

async function converse(
  group: ProcessGroup,
  conversation: Conversation,
  { send, forced }: Pick<Turn, "send" | "forced">,
): Promise<CommandExit> {
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
  // A command need not read what it is told: EPIPE is its choice.
  group.stdin.on("error", () => {});
  group.stdin.end(conversation.stdin);
  try {
    // Once it is forced, the turn can send nothing more.
    const output = queueOutput(readPipe(group.stdout, cut.signal, forced), conversation, queue);
    const [exit, stderrTail] = await Promise.all([exited, readTail(group.stderr, cut.signal, forced), output]);
    // Whatever the command left behind must not go on writing into a workspace whose turn is over. Now, because the server
    // may take its time for the output, and by then the group's number could be somebody else's.
    group.kill("SIGKILL");
    await queue.flush();
    return { ...exit, stderrTail };
  } finally {
    over.abort();
    for (const pipe of [group.stdin, group.stdout, group.stderr]) pipe.destroy();
  }
}

async function queueOutput(chunks: AsyncIterable<Buffer>, conversation: Conversation, queue: OutputQueue) {
  const splitter = new LineSplitter();
  const pushAll = async (lines: Iterable<string>) => {
    for (const line of lines) for (const event of conversation.events(line)) await queue.push(event, line);
  };
  for await (const chunk of chunks) await pushAll(splitter.push(chunk));
  await pushAll(splitter.end());
  for (const event of conversation.end?.() ?? []) await queue.push(event, JSON.stringify(event));
}
