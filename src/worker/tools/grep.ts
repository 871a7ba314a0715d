import { z } from "zod";
import { runBounded } from "./bounded-process.ts";
import { locate } from "./confined.ts";
import { ToolError, tool } from "./tool.ts";

const TIMEOUT_MS = 30_000;
const MAX_OUTPUT_BYTES = 64 * 1024;
/** Of grep itself: nothing matches. */
const NOTHING = 1;

export const grep = tool({
  name: "grep",
  description: "Finds the lines of the workspace's text files that match an extended regular expression.",
  schema: z.object({
    pattern: z.string().min(1).max(10_000).describe("A POSIX extended regular expression."),
    path: z.string().optional().describe("The file or folder to look in. Default: the whole workspace."),
    include: z.string().max(1_000).optional().describe("Only files whose names match, such as *.ts."),
    ignore_case: z.boolean().optional().describe("Default false."),
  }),
  async run({ pattern, path = ".", include, ignore_case = false }, scope) {
    const root = await locate(scope.workspace, ".");
    const start = await locate(scope.workspace, path);
    // The program, and not a regular expression of this process: that could be made to run for hours.
    const command = [
      ...["grep", "-rnHIE", "--exclude-dir=.git", "--exclude-dir=node_modules"],
      ...(ignore_case ? ["-i"] : []),
      ...(include === undefined ? [] : [`--include=${include}`]),
      ...["-e", pattern, "--", start],
    ];
    const bounds = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_OUTPUT_BYTES };
    const run = await runBounded(command, root, scope, bounds);
    if (run.timedOut) throw new ToolError(`This takes longer than ${TIMEOUT_MS / 1_000} s: look in a folder.`);
    const output = run.output.replaceAll(`${root}/`, "");
    if (run.code === NOTHING) return "No line matches.";
    if (run.code !== 0 && output.startsWith("grep: ")) throw new ToolError(output.trimEnd());
    return output;
  },
});
