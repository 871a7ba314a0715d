import { constants } from "node:fs";
import { z } from "zod";
import { openInside } from "./confined.ts";
import { tool } from "./tool.ts";

export const write = tool({
  name: "write",
  description:
    "Writes a text file of the workspace, with the folders that it needs, in place of the one that is there.",
  schema: z.object({
    path: z.string().min(1).describe("Relative to the workspace."),
    content: z.string().describe("All of it."),
  }),
  async run({ path, content }, { workspace }) {
    await replaceContent(workspace, path, content, constants.O_CREAT);
    return `${Buffer.byteLength(content)} bytes written to ${path}.`;
  },
});

/** @param flags besides those for writing */
export async function replaceContent(workspace: string, path: string, content: string, flags = 0): Promise<void> {
  // Opened as it is and emptied afterwards: by then it is known to be a file of the workspace.
  const file = await openInside(workspace, path, constants.O_WRONLY | flags);
  try {
    await file.truncate(0);
    await file.writeFile(content);
  } finally {
    await file.close();
  }
}
