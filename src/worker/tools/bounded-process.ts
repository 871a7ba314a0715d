import { wait } from "../../client/wait.ts";
import { readPipe } from "../pipes.ts";
import { CommandNotStarted, type Exit, type ProcessGroup, startGroup } from "../process-group.ts";
import { confine } from "../sandbox/index.ts";
import { ToolError, type ToolScope } from "./tool.ts";

export interface Bounds {
  readonly timeoutMs: number;
  /** Of the output that is kept: its beginning and its end, in equal parts. */
  readonly maxBytes: number;
}

export interface BoundedRun extends Exit {
  /** Standard output and standard error, as they came. */
  readonly output: string;
  readonly timedOut: boolean;
}

/** How long pipes may be held open by what has left the command's process group. */
const PIPE_GRACE_MS = 500;

/**
 * Runs a command in a process group of its own, which is killed as a whole when the command has ended, when it takes too
 * long, and when the signal is aborted. However much it writes, a bounded part of it is held in memory.
 *
 * @throws ToolError when it cannot be started; the signal's reason
 */
export async function runBounded(
  command: readonly string[],
  cwd: string,
  { workspace, signal, env, confinement }: ToolScope,
  bounds: Bounds,
): Promise<BoundedRun> {
  signal.throwIfAborted();
  const confined = confine({ command, env }, confinement, workspace);
  const group = started(() => startGroup(confined.command, { cwd, env: confined.env }));
  group.stdin.on("error", () => {});
  group.stdin.end();
  const kill = () => group.kill("SIGKILL");
  const cut = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
    cut.abort();
  }, bounds.timeoutMs);
  signal.addEventListener("abort", kill);
  const kept = new HeadAndTail(bounds.maxBytes);
  const keep = async (pipe: typeof group.stdout) => {
    for await (const chunk of readPipe(pipe, cut.signal, signal)) kept.push(chunk);
  };
  try {
    const reading = Promise.all([keep(group.stdout), keep(group.stderr)]);
    const exit = await group.exited;
    clearTimeout(timer);
    kill();
    const late = new AbortController();
    wait(PIPE_GRACE_MS, late.signal).then(
      () => cut.abort(),
      () => {},
    );
    await reading;
    late.abort();
    signal.throwIfAborted();
    return { ...exit, output: kept.text(), timedOut };
  } catch (failure) {
    throw asToolError(failure);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", kill);
    for (const pipe of [group.stdin, group.stdout, group.stderr]) pipe.destroy();
  }
}

/** Some programs are known not to start at once, others a moment later. */
function started(start: () => ProcessGroup): ProcessGroup {
  try {
    return start();
  } catch (failure) {
    throw asToolError(failure);
  }
}

const asToolError = (failure: unknown): unknown =>
  failure instanceof CommandNotStarted ? new ToolError(failure.message) : failure;

/** The beginning and the end of what is pushed. */
class HeadAndTail {
  readonly #half: number;
  readonly #head: Buffer[] = [];
  #headBytes = 0;
  readonly #tail: Buffer[] = [];
  #tailBytes = 0;
  #dropped = 0;

  constructor(maxBytes: number) {
    this.#half = Math.floor(maxBytes / 2);
  }

  push(chunk: Buffer): void {
    const toHead = chunk.subarray(0, this.#half - this.#headBytes);
    if (toHead.length > 0) this.#head.push(Buffer.from(toHead));
    this.#headBytes += toHead.length;
    const rest = chunk.subarray(toHead.length);
    if (rest.length === 0) return;
    this.#tail.push(Buffer.from(rest));
    this.#tailBytes += rest.length;
    while (this.#tailBytes > this.#half) {
      const [first] = this.#tail as [Buffer];
      const excess = this.#tailBytes - this.#half;
      if (first.length <= excess) this.#tail.shift();
      else this.#tail[0] = first.subarray(excess);
      const gone = Math.min(first.length, excess);
      this.#tailBytes -= gone;
      this.#dropped += gone;
    }
  }

  text(): string {
    const [head, tail] = [Buffer.concat(this.#head), Buffer.concat(this.#tail)];
    if (this.#dropped === 0) return Buffer.concat([head, tail]).toString("utf8");
    return `${head.toString("utf8")}\n[… ${this.#dropped} bytes left out …]\n${tail.toString("utf8")}`;
  }
}
