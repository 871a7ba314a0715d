import type { SessionEvent } from "../../src/client/index.ts";
import { serverOfThisFile, startForTest } from "./cli.ts";

export const text = (value: string) => [{ type: "text", text: value }];
export const message = (value: string) => ({ type: "user.message", content: text(value) });
export const reply = (value: string) => ({ type: "agent.message", content: text(value) });

/** A server of a test file's own, and turns in sessions on it that the test plays itself. */
export async function turnsOfThisFile() {
  const server = await serverOfThisFile();
  const { client } = server;
  const { id: environment_id } = await client.createEnvironment({ name: "e", config: { type: "self_hosted" } });
  return {
    server,
    environment_id,
    /** A command of the CLI, without waiting for its end. */
    start: (...words: string[]) => startForTest(words, { env: server.env }),
    async newSession(...texts: string[]): Promise<string> {
      const initial_events = texts.map(message);
      return (await client.createSession({ environment_id, title: "Fix it", initial_events })).id;
    },
    send: async (session_id: string, ...events: { type: string; [key: string]: unknown }[]) =>
      (await client.sendEvents({ session_id, events })).data,
    events: async (session_id: string): Promise<SessionEvent[]> =>
      (await client.listEvents({ session_id, limit: 1_000 })).data,
    /** Takes the session's item, as a worker would. */
    async take(session: string): Promise<{ environment_id: string; work_id: string }> {
      for await (const item of client.paginate("listWork", { environment_id, state: "queued" })) {
        if (item.data.id !== session) continue;
        await client.ackWork({ environment_id, work_id: item.id });
        return { environment_id, work_id: item.id };
      }
      throw new Error(`${session} has no item that waits.`);
    },
  };
}
