import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { CapstanClient } from "../../src/client/index.ts";
import { ensureBuilt, ROOT } from "../support/build.ts";
import { startTestServer, type TestServer, temporaryFolder } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";

/** The scripts are for people with these programs; a machine without them cannot run them. */
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

/** Runs the script that a page is, in a folder of its own. What it prints is what went wrong. */
function runPage(page: string, token: string, environmentId: string): void {
  const { PATH = "" } = process.env;
  const { status, stderr, stdout } = spawnSync("bash", ["--norc", "-euo", "pipefail", "-c", blocks(page, "sh")], {
    cwd: mkdtempSync(join(folder.path, "page-")),
    env: { PATH, CAPSTAN_URL: server.url, CAPSTAN_TOKEN: token, CAPSTAN_ENVIRONMENT_ID: environmentId },
    encoding: "utf8",
    timeout: 15_000,
  });
  expect({ status, printed: `${stdout}${stderr}` }).toEqual({ status: 0, printed: "" });
}

const newEnvironment = async (name: string): Promise<string> =>
  (await client.createEnvironment({ name, config: { type: "self_hosted" } })).id;

describe.skipIf(missing.length > 0)("the scripts of the documentation (skipped where curl or jq is missing)", () => {
  test("docs/worker-protocol.md takes a turn from the poll to the stop", async () => {
    const environmentId = await newEnvironment("worker-protocol");
    const { token } = await client.createToken({ name: "docs", role: "worker", environment_id: environmentId });
    const session = await client.createSession({
      environment_id: environmentId,
      initial_events: [{ type: "user.message", content: [{ type: "text", text: "hello" }] }],
    });
    runPage("docs/worker-protocol.md", token, environmentId);
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

  test("docs/sessions.md starts, follows, cancels and archives a session", async () => {
    const environmentId = await newEnvironment("sessions");
    const { token } = await client.createToken({ name: "docs", role: "client" });
    runPage("docs/sessions.md", token, environmentId);
    const [session] = (await client.listSessions({ environment_id: environmentId, include_archived: true })).data;
    expect(session?.status).toBe("terminated");
    const { data } = await client.listWork({ environment_id: environmentId });
    expect(data.map(({ state }) => state)).toEqual(["stopped"]);
  });
});

test.each([
  ["README.md", "from a file", "You said: hello"],
  ["README.md", "from the command line", "You said: hello"],
  ["docs/worker-library.md", "from a file", "Nobody has noted: hello"],
])("the worker of %s, run %s, answers, and ends with 0 when it is told to", async (page, how, answer) => {
  const environmentId = await newEnvironment(page);
  const { token } = await client.createToken({ name: page, role: "worker", environment_id: environmentId });
  // As in a project that has this package among its own.
  const project = mkdtempSync(join(folder.path, "project-"));
  mkdirSync(join(project, "node_modules"));
  symlinkSync(ROOT, join(project, "node_modules", "capstan"));
  const program = blocks(page, "js");
  writeFileSync(join(project, "worker.mjs"), program);
  const { PATH = "" } = process.env;
  const words = how === "from a file" ? ["worker.mjs"] : ["--input-type=module", "--eval", program];
  const worker = spawn(process.execPath, words, {
    cwd: project,
    env: { PATH, CAPSTAN_URL: server.url, CAPSTAN_TOKEN: token, CAPSTAN_ENVIRONMENT_ID: environmentId },
    stdio: ["ignore", "inherit", "inherit"],
  });
  onTestFinished(() => void worker.kill("SIGKILL"));
  const session = await client.createSession({
    environment_id: environmentId,
    initial_events: [{ type: "user.message", content: [{ type: "text", text: "hello" }] }],
  });
  const events = await eventually(async () => {
    const { data } = await client.listEvents({ session_id: session.id });
    expect(data.at(-1)?.type).toBe("span.turn_end");
    return data;
  });
  expect(events.find(({ type }) => type === "agent.message")?.content).toEqual([{ type: "text", text: answer }]);
  const exited = once(worker, "exit");
  worker.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});
