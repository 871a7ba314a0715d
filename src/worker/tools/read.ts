import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { z } from "zod";
import { openInside } from "./confined.ts";
import { ToolError, tool } from "./tool.ts";

const MAX_LINES = 2_000;
const MAX_BYTES = 256 * 1024;
/** A NUL within this many bytes means that the file is no text, as for git. */
const LOOK_BYTES = 8_000;
const NEWLINE = 0x0a;

export const read = tool({
  name: "read",
  description: `Reads a text file of the workspace, at most ${MAX_LINES} lines or ${MAX_BYTES / 1024} KB of it at once.`,
  schema: z.object({
    path: z.string().min(1).describe("Relative to the workspace."),
    offset: z.int().min(1).optional().describe("The first line to read. Default 1."),
    limit: z.int().min(1).max(MAX_LINES).optional().describe(`How many lines. Default ${MAX_LINES}.`),
  }),
  async run({ path, offset = 1, limit = MAX_LINES }, { workspace, signal }) {
    const file = await openInside(workspace, path, constants.O_RDONLY);
    try {
      if (await isBinary(file)) {
        throw new ToolError(`${path} is a binary file of ${(await file.stat()).size} bytes: use bash to look into it.`);
      }
      const { text, nextLine } = await readLines(file, offset, limit, signal);
      if (text === "" && offset > 1) throw new ToolError(`${path} has fewer than ${offset} lines.`);
      return nextLine === undefined ? text : `${text}\n[the file goes on: read from offset ${nextLine}]`;
    } finally {
      await file.close();
    }
  },
});

async function isBinary(file: FileHandle): Promise<boolean> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(LOOK_BYTES), 0, LOOK_BYTES, 0);
  return buffer.subarray(0, bytesRead).includes(0);
}

/** @returns `nextLine` when something was left out */
async function readLines(file: FileHandle, offset: number, limit: number, signal: AbortSignal) {
  const kept: Buffer[] = [];
  let bytes = 0;
  let line = 1;
  const text = () => Buffer.concat(kept).toString("utf8");
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false }) as AsyncIterable<Buffer>) {
    signal.throwIfAborted();
    for (let at = 0; at < chunk.length; ) {
      if (line >= offset + limit) return { text: text(), nextLine: line };
      const newline = chunk.indexOf(NEWLINE, at);
      const end = newline < 0 ? chunk.length : newline + 1;
      if (line >= offset) {
        const piece = chunk.subarray(at, Math.min(end, at + MAX_BYTES - bytes));
        kept.push(Buffer.from(piece));
        bytes += piece.length;
        if (bytes === MAX_BYTES) return { text: text(), nextLine: newline < 0 ? line : line + 1 };
      }
      if (newline >= 0) line += 1;
      at = end;
    }
  }
  return { text: text(), nextLine: undefined };
}
