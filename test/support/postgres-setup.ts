/** Vitest's global setup: one PostgreSQL for all test files of a run, started when the first of them asks for it. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestProject } from "vitest/node";
import { PostgresServer } from "./postgres-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Answers with the URL of a PostgreSQL database in which tests may make databases of their own. */
    postgresDesk: string;
  }
}

/** Every project of a run comes here; they share the server. */
const run: { server?: Promise<PostgresServer> | undefined; projects: number } = { projects: 0 };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  run.projects += 1;
  const desk = createServer(async (_request, response) => {
    try {
      run.server ??= PostgresServer.start();
      response.end((await run.server).url());
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise<void>((resolve) => desk.listen(0, "127.0.0.1", resolve));
  project.provide("postgresDesk", `http://127.0.0.1:${(desk.address() as AddressInfo).port}`);
  return async () => {
    desk.close();
    run.projects -= 1;
    if (run.projects === 0) await (await run.server)?.stop();
  };
}
