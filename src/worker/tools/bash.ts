import { z } from "zod";
import { runBounded } from "./bounded-process.ts";
import { ToolError, tool } from "./tool.ts";

const TIMEOUT_SECONDS = { default: 120, max: 600 } as const;
const MAX_OUTPUT_BYTES = 64 * 1024;

export const bash = tool({
  name: "bash",
  description: `Runs a command line with bash in the workspace and returns what it writes, at most ${MAX_OUTPUT_BYTES / 1024} KB. Nothing that it starts lives on after it has ended.`,
  schema: z.object({
    command: z.string().min(1).describe("The command line."),
    timeout_seconds: z
      .number()
      .positive()
      .max(TIMEOUT_SECONDS.max)
      .optional()
      .describe(`How long it may take. Default ${TIMEOUT_SECONDS.default}, at most ${TIMEOUT_SECONDS.max}.`),
  }),
  async run({ command, timeout_seconds = TIMEOUT_SECONDS.default }, scope) {
    // Without its start files: bash reads ~/.bashrc when its standard input is a socket, which a pipe of Node is.
    const run = await runBounded(["bash", "--norc", "--noprofile", "-c", command], scope.workspace, scope, {
      timeoutMs: timeout_seconds * 1_000,
      maxBytes: MAX_OUTPUT_BYTES,
    });
    if (run.timedOut) throw new ToolError(`${run.output}\n[killed after ${timeout_seconds} s]`);
    if (run.signal !== null) throw new ToolError(`${run.output}\n[ended by ${run.signal}]`);
    if (run.code !== 0) throw new ToolError(`${run.output}\n[exit code ${run.code}]`);
    return run.output;
  },
});
