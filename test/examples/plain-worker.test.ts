import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CapstanClient, type SessionEvent } from "../../src/client/index.ts";
import { ensureBuilt, ROOT } from "../support/build.ts";
import { startTestServer, type TestServer } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";

let server: TestServer;
let client: CapstanClient;
let environmentId: string;
let token: string;
let worker: ChildProcess | undefined;

beforeAll(async () => {
  await ensureBuilt();
  server = await startTestServer();
  client = new CapstanClient({ baseUrl: server.url, token: server.token });
  environmentId = (await client.createEnvironment({ name: "plain", config: { type: "self_hosted" } })).id;
  token = (await client.createToken({ name: "plain", role: "worker", environment_id: environmentId })).token;
});

afterEach(() => void worker?.kill("SIGKILL"));
afterAll(() => server.stop());

/** Starts `examples/plain-worker.mjs` as the documentation says. */
function startWorker(...command: string[]): ChildProcess {
  const { PATH = "" } = process.env;
  worker = spawn(process.execPath, ["examples/plain-worker.mjs", ...command], {
    cwd: ROOT,
    env: { PATH, CAPSTAN_URL: server.url, CAPSTAN_TOKEN: token, CAPSTAN_ENVIRONMENT_ID: environmentId },
    stdio: ["ignore", "inherit", "inherit"],
  });
  return worker;
}

const message = (text: string) => ({ type: "user.message", content: [{ type: "text", text }] });
const newSession = async (text: string): Promise<string> =>
  (await client.createSession({ environment_id: environmentId, initial_events: [message(text)] })).id;
const eventsOf = async (sessionId: string): Promise<SessionEvent[]> =>
  (await client.listEvents({ session_id: sessionId, limit: 1_000 })).data;
const spoken = (events: readonly SessionEvent[]): unknown[] =>
  events
    .filter(({ type }) => type === "agent.message")
    .map(({ content }) => (content as { text: string }[]).map(({ text }) => text).join(""));

const idle = (sessionId: string) =>
  eventually(async () => {
    const events = await eventsOf(sessionId);
    expect(events.at(-1)?.type).toBe("session.status_idle");
    return events;
  });

describe("the worker that uses nothing but HTTP", () => {
  test("answers every message of a session, turn by turn", async () => {
    startWorker();
    const sessionId = await newSession("one");
    expect(spoken(await idle(sessionId))).toEqual(["You said: one"]);
    await client.sendEvents({ session_id: sessionId, events: [message("two"), message("three")] });
    const events = await eventually(async () => {
      const found = await idle(sessionId);
      expect(spoken(found)).toEqual(["You said: one", "You said: two", "You said: three"]);
      return found;
    });
    expect(events.at(-1)?.stop_reason).toEqual({ type: "end_turn" });
    expect(events.filter(({ type, processed_at }) => type === "user.message" && processed_at === null)).toEqual([]);
  });

  test("tells the session when its command fails", async () => {
    startWorker("sh", "-c", "exit 3");
    const events = await idle(await newSession("break"));
    expect(events.map(({ type }) => type)).toContain("session.error");
  });

  test("ends its command and confirms when the session is cancelled", async () => {
    startWorker("sleep", "60");
    const sessionId = await newSession("wait");
    await eventually(async () => {
      const { data } = await client.listWork({ environment_id: environmentId, state: "active" });
      expect(data.map((item) => item.data.id)).toContain(sessionId);
    });
    expect((await client.cancelSession({ session_id: sessionId })).status).toBe("canceling");
    const events = await idle(sessionId);
    expect(events.at(-1)?.stop_reason).toEqual({ type: "cancelled" });
  });

  test("takes no more work after SIGTERM and ends with 0", async () => {
    const process = startWorker();
    await idle(await newSession("first"));
    const exited = once(process, "exit");
    process.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  });
});
