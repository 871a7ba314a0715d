import { z } from "zod";
import type { SessionEvent } from "../../contract/shapes.ts";
import type { NewSessionEvent } from "../handler.ts";
import type { Confinement } from "../sandbox/index.ts";
import { bash } from "./bash.ts";
import { edit } from "./edit.ts";
import { glob } from "./glob.ts";
import { grep } from "./grep.ts";
import { read } from "./read.ts";
import { type Tool, type ToolDefinition, ToolError, type ToolScope } from "./tool.ts";
import { write } from "./write.ts";

export interface ToolsOptions {
  /** The folder that no path leads out of. */
  readonly workspace: string;
  /** Kills what runs. */
  readonly signal: AbortSignal;
  /** All variables of the commands that are run; nothing is inherited. Default: a PATH, and the workspace as HOME. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** What the commands of `bash` and `grep` may see and use. Default: all that this process may. */
  readonly confinement?: Confinement | undefined;
}

export interface ToolResult {
  readonly content: readonly { readonly type: "text"; readonly text: string }[];
  readonly is_error: boolean;
}

export interface Tools {
  /** The tools as a model is told of them. */
  readonly definitions: readonly ToolDefinition[];
  /** Runs a tool. What goes wrong is a result, too. @throws the signal's reason, once that is aborted */
  run(name: string, input: unknown): Promise<ToolResult>;
  /** Runs what an `agent.tool_use` event asks for. @returns the `user.tool_result` that answers it */
  answer(event: SessionEvent): Promise<NewSessionEvent>;
}

const TOOLS: readonly Tool[] = [bash, read, write, edit, glob, grep];
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * The tools bash, read, write, edit, glob and grep for one session. Paths that lead out of the workspace are refused, also
 * by symbolic links. What `bash` runs is held to the workspace only by a sandbox: see {@link ToolsOptions.confinement}.
 */
export function createTools({ workspace, signal, env, confinement = {} }: ToolsOptions): Tools {
  const scope: ToolScope = { workspace, signal, env: env ?? { PATH, HOME: workspace }, confinement };
  const run = async (name: string, input: unknown): Promise<ToolResult> => {
    try {
      return result(await runTool(name, input, scope), false);
    } catch (failure) {
      signal.throwIfAborted();
      if (failure instanceof ToolError) return result(failure.message, true);
      throw failure;
    }
  };
  return {
    definitions: TOOLS.map(({ name, description, schema }) => ({
      name,
      description,
      input_schema: z.toJSONSchema(schema) as Record<string, unknown>,
    })),
    run,
    answer: async ({ id, name, input }) => ({
      type: "user.tool_result",
      tool_use_id: id,
      ...(await run(String(name), input)),
    }),
  };
}

async function runTool(name: string, input: unknown, scope: ToolScope): Promise<string> {
  const found = TOOLS.find((candidate) => candidate.name === name);
  if (found === undefined) {
    throw new ToolError(`There is no tool ${name}: use ${TOOLS.map((one) => one.name).join(", ")}.`);
  }
  const checked = found.schema.safeParse(input ?? {});
  if (checked.success) return await found.run(checked.data, scope);
  const problems = checked.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new ToolError(`The input of ${name} is not valid. ${problems.join("; ")}`);
}

const result = (text: string, isError: boolean): ToolResult => ({
  content: [{ type: "text", text }],
  is_error: isError,
});
