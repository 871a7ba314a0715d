/** Clients and workers that go on whatever happens to the server, as real ones do: they repeat what was not answered. */
import type { Environment, Session, SessionEvent, Work, WorkHeartbeat } from "../../src/contract/shapes.ts";
import type { History, Sent, Verb } from "../support/history.ts";
import type { Answer } from "../support/server.ts";
import { call, type Request } from "./calls.ts";
import type { Gate } from "./gate.ts";

/** How long an unacknowledged delivery is left alone: short, because each kill loses answers of polls. */
const WINDOW_MS = 300;
const MESSAGE = { type: "user.message", content: [{ type: "text", text: "Do it." }] };
const REPLY = { type: "agent.message", content: [{ type: "text", text: "Done." }] };

export interface CrashLoad {
  readonly environment: string;
  readonly history: History;
  readonly random: () => number;
  readonly gate: Gate;
  /** Where the server is now. */
  url: string;
  /** No new sessions and messages. */
  feeding: boolean;
  ended: boolean;
  /** Ids of events that were answered, by session. */
  readonly accepted: Map<string, string[]>;
}

export async function createEnvironment(url: string): Promise<string> {
  const config = { type: "self_hosted", queue: { start_seconds: 3_600 } };
  return (await call<Environment>(url, "POST", "/environments", { body: { name: "crash", config } })).body.id;
}

/** One try. `undefined`: no answer came, and the caller went on when the server was back. */
async function attempt<T>(load: CrashLoad, make: () => Promise<Answer<T>>): Promise<Answer<T> | undefined> {
  await load.gate.passed();
  try {
    return await make();
  } catch {
    // The server is being killed right now: the gate closes before it is.
    await load.gate.passed();
    return undefined;
  }
}

const recorded = <T>(load: CrashLoad, verb: Verb, item: string | null, sent: Sent, make: () => Promise<Answer<T>>) =>
  load.history.record({ verb, environment: load.environment, item, sent }, make);

/** Makes sessions and sends them more messages. */
export async function feed(load: CrashLoad): Promise<void> {
  const made: string[] = [];
  while (load.feeding) {
    const body = { environment_id: load.environment, initial_events: [MESSAGE] };
    const answer = await attempt(load, () =>
      recorded(load, "create", null, {}, () => call<Session>(load.url, "POST", "/sessions", { body })),
    );
    if (answer?.status === 200) made.push(answer.body.id);
    const session = made[Math.floor(load.random() * made.length)];
    if (session === undefined || load.random() < 0.5) continue;
    const path = `/sessions/${session}/events`;
    const sent = await attempt(load, () =>
      call<{ data: SessionEvent[] }>(load.url, "POST", path, { body: { events: [MESSAGE] } }),
    );
    if (sent?.status === 200) remember(load, session, sent.body.data);
  }
}

function remember({ accepted }: CrashLoad, session: string, events: readonly SessionEvent[]): void {
  accepted.set(session, [...(accepted.get(session) ?? []), ...events.map(({ id }) => id)]);
}

export async function work(load: CrashLoad, worker: string): Promise<void> {
  const path = `/environments/${load.environment}/work/poll`;
  const query = { block_ms: "50", reclaim_older_than_ms: String(WINDOW_MS) };
  while (!load.ended) {
    const polled = await attempt(load, () =>
      recorded(load, "poll", null, { worker, windowMs: WINDOW_MS }, () =>
        call<Work | null>(load.url, "GET", path, { query, headers: { "worker-id": worker } }),
      ),
    );
    if (polled?.status === 200 && polled.body !== null) await turn(load, polled.body, worker);
  }
}

/** Repeats a call until it is answered. */
async function insist<T = Work>(load: CrashLoad, item: Work, verb: Verb, sent: Sent, request: Request = {}) {
  for (let tries = 0; ; tries++) {
    const retry = tries > 0;
    const headers = { "worker-id": sent.worker ?? "", ...(retry ? { "x-stainless-retry-count": String(tries) } : {}) };
    const path = `/environments/${item.environment_id}/work/${item.id}/${verb}`;
    const answer = await attempt(load, () =>
      recorded(load, verb, item.id, { ...sent, retry }, () =>
        call<T>(load.url, "POST", path, { ...request, headers: { ...request.headers, ...headers } }),
      ),
    );
    if (answer !== undefined) return answer;
  }
}

async function turn(load: CrashLoad, item: Work, worker: string): Promise<void> {
  const own = { worker };
  // Whoever was too slow is refused, because the item went to another one meanwhile: it is dropped.
  if ((await insist(load, item, "ack", own)).status !== 200) return;
  let expected = "NO_HEARTBEAT";
  for (let link = 0; link < 2; link++) {
    const request = { query: { expected_last_heartbeat: expected, desired_ttl_seconds: "600" } };
    const beat = await insist<WorkHeartbeat>(load, item, "heartbeat", { ...own, expected }, request);
    if (beat.status !== 200)
      throw new Error(`${worker} lost ${item.id} at its heartbeat: ${JSON.stringify(beat.body)}`);
    expected = beat.body.last_heartbeat;
  }
  if (load.random() < 0.1) return void (await insist(load, item, "release", own, { body: {} }));
  const path = `/sessions/${item.data.id}/events`;
  const reply = await attempt(load, () =>
    call<{ data: SessionEvent[] }>(load.url, "POST", path, {
      body: { events: [REPLY] },
      headers: { "worker-id": worker },
    }),
  );
  if (reply?.status === 200) remember(load, item.data.id, reply.body.data);
  if (load.random() < 0.5) await insist(load, item, "stop", own);
  const force = { force: true };
  const stopped = await insist(load, item, "stop", { ...own, ...force }, { body: force });
  if (stopped.body.state !== "stopped")
    throw new Error(`${worker} could not stop ${item.id}: ${JSON.stringify(stopped.body)}`);
}
