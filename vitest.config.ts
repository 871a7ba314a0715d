import { defineConfig } from "vitest/config";
import type { TestTopology } from "./test/support/server.ts";

/**
 * Of the worker's tests, those in which the server answers for what happens: turns and their input, leases, hand-outs that
 * are lost, given back or handed off. The others (sandbox, commands, tools, adapters) never see which store it has.
 */
const WORKER_TESTS = "{context,endings,faults,hand-off,input,killed,server-away,setup-script,turn}";

/** Tests that go through a server say the same on every store; each project runs them on another one. */
const onPostgres = (name: string, topology: TestTopology) => ({
  extends: true as const,
  test: { name, include: ["test/server/**/*.test.ts", `test/worker/${WORKER_TESTS}.test.ts`], provide: { topology } },
});

export default defineConfig({
  test: {
    globalSetup: "test/support/postgres-setup.ts",
    // The gate runs on machines whose other tenants nobody controls. A test that needed its second try is named in the report.
    retry: process.env.CI === undefined ? 0 : 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Inherited by threads that the sources start, which Vitest does not transform (the worker's lease keeper is one).
    execArgv: ["--import", new URL("./test/support/typescript.mjs", import.meta.url).href],
    projects: [
      { extends: true, test: { name: "sqlite", include: ["test/**/*.test.ts"] } },
      onPostgres("postgres", { store: "postgres", replicas: 1 }),
      onPostgres("postgres-3", { store: "postgres", replicas: 3 }),
    ],
  },
});
