import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { ToolError } from "./tool.ts";

const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** Whether paths of open files can be looked up, and opened from there. */
const HAS_PROC = process.platform === "linux";

const isInside = (root: string, path: string): boolean => path === root || path.startsWith(root + sep);

const outside = (path: string): ToolError =>
  new ToolError(`${path} is outside of the workspace: use a path below it, such as src/main.js.`);

const codeOf = (failure: unknown): string | undefined => (failure as NodeJS.ErrnoException).code;

/**
 * The place that a path names, with every symbolic link followed, whether or not there is something yet.
 *
 * @throws ToolError when that is not in the workspace
 */
export async function locate(workspace: string, path: string): Promise<string> {
  if (path.includes("\0")) throw new ToolError("A path must not contain a NUL character.");
  const root = await realpath(workspace).catch(() => {
    throw new ToolError("The workspace does not exist any more.");
  });
  const given = isAbsolute(path) ? relative(workspace, path) : path;
  const missing: string[] = [];
  for (let at = resolve(root, given); ; at = dirname(at)) {
    const real = await realOf(at, path);
    if (real !== undefined) {
      if (!isInside(root, real)) throw outside(path);
      return join(real, ...missing);
    }
    missing.unshift(basename(at));
    if (at === dirname(at)) throw outside(path);
  }
}

/** With all links followed; `undefined` when there is nothing. */
async function realOf(at: string, path: string): Promise<string | undefined> {
  try {
    return await realpath(at);
  } catch (failure) {
    if (codeOf(failure) === "ELOOP") throw new ToolError(`${path} is a link that leads to itself.`);
    if (codeOf(failure) === "ENOTDIR") throw new ToolError(`${path} goes through something that is not a folder.`);
    if (codeOf(failure) !== "ENOENT") throw failure;
  }
  // A link to what does not exist would be followed by whoever creates a file there.
  const link = await lstat(at).catch(() => undefined);
  if (link !== undefined) throw new ToolError(`${path} is a link to something that does not exist.`);
  return undefined;
}

/**
 * Opens a regular file of the workspace. Between the look and the opening, a process that runs beside could put a link in
 * the way; so every folder is opened from the one above it, and none of them may be a link.
 *
 * @param flags of `open`; with O_CREAT, the folders that are missing are made, too
 * @throws ToolError for what is not there, not a file, or not in the workspace
 */
export async function openInside(workspace: string, path: string, flags: number): Promise<FileHandle> {
  const real = await locate(workspace, path);
  const root = await realpath(workspace);
  const folder = await openFolder(root, dirname(real), (flags & O_CREAT) !== 0).catch((failure) => {
    throw unopened(failure, path);
  });
  try {
    const file = await openFrom(folder, basename(real), flags).catch((failure) => {
      throw unopened(failure, path);
    });
    if ((await file.stat()).isFile()) return file;
    await file.close();
    throw new ToolError(`${path} is not a regular file.`);
  } finally {
    await folder.handle.close();
  }
}

interface Folder {
  readonly path: string;
  readonly handle: FileHandle;
}

const inFolder = ({ path, handle }: Folder, name: string): string =>
  join(HAS_PROC ? `/proc/self/fd/${handle.fd}` : path, name);

/** Not blocking: a pipe without a writer would keep the caller waiting for ever. */
const openFrom = (folder: Folder, name: string, flags: number): Promise<FileHandle> =>
  open(inFolder(folder, name), flags | O_NOFOLLOW | O_NONBLOCK, 0o644);

/** @param real a folder below the root, without any link on the way to it */
async function openFolder(root: string, real: string, make: boolean): Promise<Folder> {
  if (!isInside(root, real)) throw outside(real);
  let folder: Folder = { path: root, handle: await open(root, O_RDONLY | O_DIRECTORY) };
  for (const name of relative(root, real).split(sep).filter(Boolean)) {
    try {
      if (make) await mkdir(inFolder(folder, name)).catch(unlessItExists);
      const handle = await openFrom(folder, name, O_RDONLY | O_DIRECTORY);
      await folder.handle.close();
      folder = { path: join(folder.path, name), handle };
    } catch (failure) {
      await folder.handle.close();
      throw failure;
    }
  }
  return folder;
}

function unlessItExists(failure: unknown): void {
  if (codeOf(failure) !== "EEXIST") throw failure;
}

function unopened(failure: unknown, path: string): unknown {
  switch (codeOf(failure)) {
    case "ENOENT":
      return new ToolError(`${path} does not exist.`);
    case "ELOOP":
      return outside(path);
    case "EISDIR":
    case "ENXIO":
      return new ToolError(`${path} is not a regular file.`);
    case "ENOTDIR":
      return new ToolError(`${path} goes through something that is not a folder.`);
    case "EACCES":
      return new ToolError(`${path} may not be accessed.`);
    case "ENAMETOOLONG":
      return new ToolError("The path is too long.");
    default:
      return failure;
  }
}
