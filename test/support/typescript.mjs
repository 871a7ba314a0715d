/**
 * Lets Node run this repository's TypeScript where it cannot do so by itself (before 22.18), for threads and child
 * processes that tests start from the sources: `node --import ./test/support/typescript.mjs file.ts`.
 */
import { register } from "node:module";

if (!process.features.typescript) register("./typescript-hooks.mjs", import.meta.url);
