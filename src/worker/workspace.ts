import { lstat, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { isId } from "../core/ids.ts";

/**
 * The folder of a session, made when it is missing. Only this user can look into it: turns leave files there that may
 * hold what the session was told.
 */
export async function sessionWorkspace(root: string, sessionId: string): Promise<string> {
  // The id becomes a path, and it comes from the network.
  if (!isId("session", sessionId)) throw new Error("The server named a session whose id is malformed.");
  const folder = join(root, sessionId);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // A turn can put a link in the place of its own folder, and the next one would work in a folder of somebody else.
  if (!(await lstat(folder)).isDirectory()) throw new Error(`${folder} is not a folder any more: remove it`);
  return folder;
}
