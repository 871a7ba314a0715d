import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CliProcess, folderForTest, startForTest, type TestServer } from "./cli.ts";

export interface Queue {
  readonly environment: string;
  readonly env: Record<string, string>;
}

/** An environment with a token for its worker. */
export async function newQueue(server: TestServer): Promise<Queue> {
  const { client } = server;
  const { id } = await client.createEnvironment({ name: "q", config: { type: "self_hosted" } });
  const { token } = await client.createToken({ name: "w", role: "worker", environment_id: id });
  return { environment: id, env: { ...server.env, CAPSTAN_TOKEN: token, CAPSTAN_ENVIRONMENT_ID: id } };
}

/** A worker that runs a Node script, given as source text. */
export function startWorker({ env }: Queue, script: string, words: string[] = []): CliProcess {
  const folder = folderForTest();
  const file = join(folder, "agent.mjs");
  writeFileSync(file, script);
  return startForTest(["worker", "--workspace-root", folder, ...words, "--", process.execPath, file, "--own", "flag"], {
    env,
  });
}

/** Says that it has begun, and then does nothing until it is told to end. */
export const PATIENT = `
  console.log("begun");
  setInterval(() => {}, 1000);
  process.on("SIGTERM", () => { console.log("told to end"); process.exit(0); });
`;
