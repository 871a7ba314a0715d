import { realpathSync } from "node:fs";
import { createTools, type ToolsOptions } from "../../../src/worker/index.ts";
import { temporaryFolder } from "../support/queue.ts";

/** The tools of a workspace that is gone when the test has ended. */
export async function toolsForTest(options: Partial<ToolsOptions> = {}) {
  const workspace = realpathSync(await temporaryFolder());
  const tools = createTools({ workspace, signal: new AbortController().signal, ...options });
  /** What the tool says; `error: …` when it is an error. */
  const use = async (name: string, input: unknown): Promise<string> => {
    const { content, is_error } = await tools.run(name, input);
    const text = content.map((block) => block.text).join("");
    return is_error ? `error: ${text}` : text;
  };
  return { workspace, tools, use };
}
