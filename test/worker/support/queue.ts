import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFailed, onTestFinished } from "vitest";
import { CapstanClient, type Session, type SessionEvent, type Work } from "../../../src/client/index.ts";
import { createWorker, type Worker, type WorkerEvent, type WorkerOptions } from "../../../src/worker/index.ts";
import { Balancer } from "../../support/balancer.ts";
import { eventually } from "../../support/eventually.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "../../support/server.ts";

/** A real server with one environment, and what a test of a worker wants to do with it. */
export interface TestQueue {
  readonly server: TestServer;
  /** Of the server, or of what goes round all of its replicas. */
  readonly url: string;
  /** Of an admin. */
  readonly client: CapstanClient;
  readonly environmentId: string;
  /** Of role worker, for this environment. */
  readonly token: string;
  newSession(...texts: string[]): Promise<Session>;
  say(sessionId: string, ...texts: string[]): Promise<void>;
  events(sessionId: string, type?: string): Promise<SessionEvent[]>;
  /** The texts of all `agent.message` events. */
  replies(sessionId: string): Promise<string[]>;
  /** The session's items, oldest first. */
  items(sessionId: string): Promise<Work[]>;
  /** Waits until the session is idle, and gives why. */
  untilIdle(sessionId: string, withinMs?: number): Promise<string>;
}

export interface TestQueueOptions extends TestServerOptions {
  readonly config?: Readonly<Record<string, unknown>>;
}

const message = (text: string) => ({ type: "user.message", content: [{ type: "text", text }] });

/** For the length of one test. */
export async function testQueue({ config, ...options }: TestQueueOptions = {}): Promise<TestQueue> {
  // A short drain: fetch keeps connections open on which it has not sent a request yet.
  const server = await startTestServer({ sweepMs: 50, drainMs: 100, ...options });
  onTestFinished(() => server.stop());
  const url = await entrance(server.urls);
  const client = new CapstanClient({ baseUrl: url, token: server.adminToken });
  const environment = await client.createEnvironment({ name: "test", config: { type: "self_hosted", ...config } });
  const environmentId = environment.id;
  const { token } = await client.createToken({ name: "w", role: "worker", environment_id: environmentId });

  const events = async (sessionId: string, type?: string) => {
    const found: SessionEvent[] = [];
    const types = type === undefined ? undefined : [type];
    for await (const event of client.paginate("listEvents", { session_id: sessionId, types, limit: 1_000 })) {
      found.push(event);
    }
    return found;
  };
  return {
    server,
    url,
    client,
    environmentId,
    token,
    events,
    newSession: (...texts) =>
      client.createSession({ environment_id: environmentId, initial_events: texts.map((text) => message(text)) }),
    say: async (sessionId, ...texts) => {
      await client.sendEvents({ session_id: sessionId, events: texts.map((text) => message(text)) });
    },
    replies: async (sessionId) => {
      const messages = await events(sessionId, "agent.message");
      return messages.flatMap((event) => (event.content as { text: string }[]).map((block) => block.text));
    },
    items: async (sessionId) => {
      const found: Work[] = [];
      for await (const work of client.paginate("listWork", { environment_id: environmentId, limit: 100 })) {
        if (work.data.id === sessionId) found.push(work);
      }
      return found;
    },
    untilIdle: (sessionId, withinMs) =>
      eventually(async () => {
        const last = (await events(sessionId)).at(-1);
        if (last?.type !== "session.status_idle") throw new Error(`The session is not idle: ${JSON.stringify(last)}`);
        return (last.stop_reason as { type: string }).type;
      }, withinMs),
  };
}

/** The one address that workers and clients are given. */
async function entrance(urls: readonly string[]): Promise<string> {
  const [only] = urls;
  if (only !== undefined && urls.length === 1) return only;
  const balancer = await Balancer.start(urls);
  onTestFinished(() => balancer.close());
  return balancer.url;
}

export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "capstan-worker-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

export interface TestWorker extends Worker {
  /** What it reported so far. */
  readonly events: WorkerEvent[];
  /** What `run` came to. */
  readonly ran: Promise<void>;
}

/** A running worker, which is gone when the test has ended. */
export async function runningWorker(
  queue: Pick<TestQueue, "url" | "token" | "environmentId">,
  options: Pick<WorkerOptions, "handler"> & Partial<WorkerOptions>,
): Promise<TestWorker> {
  const events: WorkerEvent[] = [];
  const worker = createWorker({
    baseUrl: queue.url,
    token: queue.token,
    environmentId: queue.environmentId,
    workspaceRoot: options.workspaceRoot ?? (await temporaryFolder()),
    onEvent: (event) => events.push(event),
    ...options,
  });
  const ran = worker.run();
  let failure: unknown;
  ran.catch((error) => {
    failure = error;
  });
  onTestFailed(() => console.error("What the worker reported:", events, worker.status().line, failure));
  onTestFinished(() => worker.abort());
  return Object.assign(worker, { events, ran });
}
