import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CapstanClient } from "../../src/client/index.ts";
import { ensureBuilt, ROOT } from "../support/build.ts";
import { startTestServer, type TestServer, temporaryFolder } from "../support/cli.ts";

/** The page's script is for people with these programs; a machine without them cannot run it. */
const missing = ["curl", "jq"].filter((program) => spawnSync(program, ["--version"]).error !== undefined);

let server: TestServer;
let client: CapstanClient;
const folder = temporaryFolder();

beforeAll(async () => {
  await ensureBuilt();
  server = await startTestServer();
  client = new CapstanClient({ baseUrl: server.url, token: server.token });
});

afterAll(async () => {
  await server.stop();
  folder.remove();
});

/** The blocks of one language in a page, in their order. */
function blocks(page: string, language: string): string {
  const text = readFileSync(join(ROOT, page), "utf8");
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))]
    .map((match) => match[1])
    .join("");
}

describe("the script of docs/worker-protocol.md (skipped where curl or jq is missing)", () => {
  test.skipIf(missing.length > 0)("takes a turn from the poll to the stop", async () => {
    const environment = await client.createEnvironment({ name: "protocol", config: { type: "self_hosted" } });
    const { token } = await client.createToken({ name: "docs", role: "worker", environment_id: environment.id });
    const session = await client.createSession({
      environment_id: environment.id,
      initial_events: [{ type: "user.message", content: [{ type: "text", text: "hello" }] }],
    });
    const { PATH = "" } = process.env;
    const { status, stderr, stdout } = spawnSync(
      "bash",
      ["--norc", "-euo", "pipefail", "-c", blocks("docs/worker-protocol.md", "sh")],
      {
        cwd: folder.path,
        env: { PATH, CAPSTAN_URL: server.url, CAPSTAN_TOKEN: token, CAPSTAN_ENVIRONMENT_ID: environment.id },
        encoding: "utf8",
      },
    );
    expect(`${stdout}${stderr}`).toBe("");
    expect(status).toBe(0);
    const { data } = await client.listEvents({ session_id: session.id });
    expect(data.map(({ type }) => type)).toEqual([
      "user.message",
      "session.status_running",
      "agent.message",
      "session.status_idle",
    ]);
    expect(data[2]?.content).toEqual([{ type: "text", text: "You said: hello" }]);
    expect(data[3]?.stop_reason).toEqual({ type: "end_turn" });
  });
});
