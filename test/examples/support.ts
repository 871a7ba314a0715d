import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { expect, onTestFinished } from "vitest";
import { CapstanClient, type SessionEvent } from "../../src/client/index.ts";
import { ROOT } from "../support/build.ts";
import { startTestServer, temporaryFolder } from "../support/cli.ts";
import { eventually } from "../support/eventually.ts";

export const message = (text: string) => ({ type: "user.message", content: [{ type: "text", text }] });

/** A server with one environment, for a suite of examples that are run as the documentation says. */
export async function startExamples() {
  const server = await startTestServer();
  const folder = temporaryFolder();
  const client = new CapstanClient({ baseUrl: server.url, token: server.token });
  const { id: environmentId } = await client.createEnvironment({ name: "examples", config: { type: "self_hosted" } });
  const { token } = await client.createToken({ name: "w", role: "worker", environment_id: environmentId });
  const { PATH = "" } = process.env;
  const env = { PATH, CAPSTAN_URL: server.url, CAPSTAN_TOKEN: token, CAPSTAN_ENVIRONMENT_ID: environmentId };

  return {
    ...{ server, client, environmentId, env, folder: folder.path },
    /** Runs `node` in a folder of its own for the length of one test. */
    start(words: readonly string[], more: Readonly<Record<string, string>> = {}): ChildProcess {
      const child = spawn(process.execPath, words, {
        cwd: folder.path,
        env: { ...env, ...more },
        stdio: ["ignore", "inherit", "inherit"],
      });
      onTestFinished(() => void child.kill("SIGKILL"));
      return child;
    },
    newSession: async (text: string): Promise<string> =>
      (await client.createSession({ environment_id: environmentId, initial_events: [message(text)] })).id,
    say: (sessionId: string, text: string) => client.sendEvents({ session_id: sessionId, events: [message(text)] }),
    events: async (sessionId: string): Promise<SessionEvent[]> =>
      (await client.listEvents({ session_id: sessionId, limit: 1_000 })).data,
    async stop() {
      await server.stop();
      folder.remove();
    },
  };
}
export type Examples = Awaited<ReturnType<typeof startExamples>>;

export const example = (name: string): string => `${ROOT}/examples/${name}`;

/** The texts of the agent's messages, once there are as many. */
export const replies = (examples: Examples, sessionId: string, count: number): Promise<string[]> =>
  eventually(async () => {
    const events = await examples.events(sessionId);
    const texts = events
      .filter(({ type }) => type === "agent.message")
      .map(({ content }) => (content as { text: string }[]).map(({ text }) => text).join(""));
    expect(texts).toHaveLength(count);
    return texts;
  });

/** Ends a worker as an operator does. */
export async function terminated(child: ChildProcess): Promise<unknown> {
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  return await exited;
}
