import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/postgres-setup.ts",
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Inherited by threads that the sources start, which Vitest does not transform (the worker's lease keeper is one).
    execArgv: ["--import", new URL("./test/support/typescript.mjs", import.meta.url).href],
  },
});
