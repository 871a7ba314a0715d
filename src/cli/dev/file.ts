import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { makeFolder } from "../../storage/folder.ts";
import { CommandError } from "../exit-codes.ts";

const schema = z.object({
  url: z.string(),
  admin_token: z.string(),
  environment_id: z.string(),
  worker_token: z.string(),
});

/** What `capstan dev` remembers between two starts, and what other commands on the same machine find it by. */
export type DevFile = z.output<typeof schema>;

export const devFilePath = (dataDir: string): string => join(resolve(dataDir), "dev.json");

/** @throws CommandError when there is a file that cannot be understood. */
export function readDevFile(dataDir: string): DevFile | undefined {
  const path = devFilePath(dataDir);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw new CommandError("failed", `${path} cannot be read: ${(error as Error).message}.`, "Check whose file it is.");
  }
  const read = schema.safeParse(parsed(text));
  if (read.success) return read.data;
  throw new CommandError("failed", `${path} is damaged.`, "Delete it; the next `capstan dev` writes it anew.");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Readable by its owner alone from its first byte on, because it holds secrets; replaced as a whole. */
export function writeDevFile(dataDir: string, content: DevFile): void {
  const path = devFilePath(dataDir);
  const draft = `${path}.${process.pid}`;
  makeFolder(dataDir);
  writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  // The mode above counts only for a file that is new.
  chmodSync(draft, 0o600);
  renameSync(draft, path);
}
