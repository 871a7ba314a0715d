import { constants } from "node:fs";
import { z } from "zod";
import { openInside } from "./confined.ts";
import { ToolError, tool } from "./tool.ts";
import { replaceContent } from "./write.ts";

const MAX_BYTES = 10 * 1024 * 1024;

export const edit = tool({
  name: "edit",
  description: "Replaces a text in a file of the workspace by another one. The text has to be there exactly once.",
  schema: z.object({
    path: z.string().min(1).describe("Relative to the workspace."),
    old_text: z.string().min(1).describe("What is there, with every blank and line break."),
    new_text: z.string().describe("What shall be there instead."),
    replace_all: z.boolean().optional().describe("Replaces every place, however many there are. Default false."),
  }),
  async run({ path, old_text, new_text, replace_all = false }, { workspace }) {
    const pieces = (await textOf(workspace, path)).split(old_text);
    const places = pieces.length - 1;
    if (places === 0) throw new ToolError(`${path} does not contain this text: read it again, and copy it exactly.`);
    if (places > 1 && !replace_all) {
      throw new ToolError(
        `${path} contains this text ${places} times: give more of what is around it, or replace_all.`,
      );
    }
    await replaceContent(workspace, path, pieces.join(new_text));
    return `${places === 1 ? "1 place" : `${places} places`} replaced in ${path}.`;
  },
});

async function textOf(workspace: string, path: string): Promise<string> {
  const file = await openInside(workspace, path, constants.O_RDONLY);
  try {
    const { size } = await file.stat();
    if (size > MAX_BYTES) throw new ToolError(`${path} has ${size} bytes, too many for this tool: use bash.`);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.readFile());
  } catch (failure) {
    // Written back as text, every byte that is none would be damaged.
    if (failure instanceof TypeError) throw new ToolError(`${path} is no UTF-8 text: use bash to change it.`);
    throw failure;
  } finally {
    await file.close();
  }
}
