import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
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

/** Starts a program of a page as in a project that has this package among its own. */
function startProgram(program: string, how: string, token: string, environmentId: string): ChildProcess {
  const project = mkdtempSync(join(folder.path, "project-"));
  mkdirSync(join(project, "node_modules"));
  symlinkSync(ROOT, join(project, "node_modules", "capstan"));
  writeFileSync(join(project, "program.mjs"), program);
  const { PATH = "" } = process.env;
  const words = how === "from a file" ? ["program.mjs"] : ["--input-type=module", "--eval", program];
  const child = spawn(process.execPath, words, {
    cwd: project,
    env: { PATH, CAPSTAN_URL: server.url, CAPSTAN_TOKEN: token, CAPSTAN_ENVIRONMENT_ID: environmentId },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

test.each([
  ["README.md", "from a file", "You said: hello"],
  ["README.md", "from the command line", "You said: hello"],
  ["docs/worker-library.md", "from a file", "Nobody has noted: hello"],
])("the worker of %s, run %s, answers, and ends with 0 when it is told to", async (page, how, answer) => {
  const environmentId = await newEnvironment(page);
  const { token } = await client.createToken({ name: page, role: "worker", environment_id: environmentId });
  const worker = startProgram(blocks(page, "js"), how, token, environmentId);
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

test("the programs of docs/client.md talk to a session until its turn is over, and start a server for tests", async () => {
  const [talks = "", starts = ""] = blocks("docs/client.md", "js").split(/^(?=import .*capstan\/testing)/m);
  const environmentId = await newEnvironment("client");
  const { token } = await client.createToken({ name: "client page", role: "client" });
  const bound = { name: "its worker", role: "worker", environment_id: environmentId } as const;
  startProgram(blocks("README.md", "js"), "from a file", (await client.createToken(bound)).token, environmentId);
  const said = async (program: string) => {
    const child = startProgram(program, "from a file", token, environmentId);
    const exited = once(child, "exit");
    const printed = await text(child.stdout as Readable);
    return { printed, exited: await exited };
  };
  expect(await said(talks)).toEqual({ printed: "You said: hello\n", exited: [0, null] });
  const use = 'console.log((await fetch(new URL("/readyz", url))).status, environment.config.type); await stop();';
  expect(await said(starts + use)).toEqual({ printed: "200 self_hosted\n", exited: [0, null] });
});
