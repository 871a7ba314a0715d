import { readFileSync } from "node:fs";

/** The range of Node versions that the package runs on, from the one place that states it. */
export const REQUIRED_NODE: string = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"))
  .engines.node;
