import { readFileSync } from "node:fs";

interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
}

/** What the package says of itself. */
const manifest = (): Manifest =>
  JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as Manifest;

export const version = (): string => manifest().version;

/** The range of Node versions that the package runs on. */
export const requiredNode = (): string => manifest().engines.node;
