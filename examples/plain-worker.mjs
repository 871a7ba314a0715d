// A whole worker with nothing but HTTP: what docs/worker-protocol.md explains, in a form that runs.
//   CAPSTAN_URL=… CAPSTAN_TOKEN=… CAPSTAN_ENVIRONMENT_ID=… node examples/plain-worker.mjs COMMAND…
// For each message COMMAND gets the text on its standard input; what it prints becomes the agent's answer.
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const { CAPSTAN_URL, CAPSTAN_TOKEN, CAPSTAN_ENVIRONMENT_ID } = process.env;
if (!(CAPSTAN_URL && CAPSTAN_TOKEN && CAPSTAN_ENVIRONMENT_ID)) {
  console.error("Set CAPSTAN_URL, CAPSTAN_TOKEN (of role worker) and CAPSTAN_ENVIRONMENT_ID.");
  process.exit(1);
}
const [program = "sed", ...args] = process.argv.length > 2 ? process.argv.slice(2) : ["sed", "s/^/You said: /"];
const api = `${CAPSTAN_URL}/api/v1/cloud`;
const queue = `${api}/environments/${CAPSTAN_ENVIRONMENT_ID}/work`;
const workerId = `plain-${process.pid}`;
const TTL_SECONDS = 15;
const draining = new AbortController();
process.once("SIGTERM", () => draining.abort());

async function call(method, url, { token = CAPSTAN_TOKEN, headers, body, signal = AbortSignal.timeout(10_000) } = {}) {
  const sent = { authorization: `Bearer ${token}`, "worker-id": workerId, ...headers };
  const response = await fetch(url, { method, headers: sent, signal, ...(body && { body: JSON.stringify(body) }) });
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(answer.error?.message), { status: response.status });
  return { answer, workToken: response.headers.get("work-token") };
}

/** Repeats what may pass (no connection, 429, 5xx) until it succeeds; a refusal is final. */
async function persist(attempt, givesUp = () => false) {
  for (let pauseMs = 200; ; pauseMs = Math.min(10_000, pauseMs * 2)) {
    try {
      return await attempt();
    } catch (error) {
      if ((error.status !== undefined && error.status !== 429 && error.status < 500) || givesUp()) throw error;
      await sleep(pauseMs * (0.5 + Math.random() / 2));
    }
  }
}

/** Beats until `over`. Aborts `end` when somebody wants the turn to stop, and when the lease is lost. */
async function keepLease(item, token, end, over, ackedAt) {
  let expected = "NO_HEARTBEAT";
  let endsAt = ackedAt + 60_000;
  const lost = () => end.abort("lease lost");
  let watchdog = setTimeout(lost, endsAt - performance.now());
  try {
    while (!over.aborted) {
      // Reckoned from the first try, which is never later than the server reckons. Every try of a beat has the same key.
      const sentAt = performance.now();
      const query = new URLSearchParams({ expected_last_heartbeat: expected, desired_ttl_seconds: TTL_SECONDS });
      const options = { token, headers: { "idempotency-key": randomUUID() } };
      const beat = () => call("POST", `${queue}/${item.id}/heartbeat?${query}`, options);
      const { answer } = await persist(beat, () => over.aborted || performance.now() > endsAt);
      expected = answer.last_heartbeat;
      if (answer.lease_extended) endsAt = sentAt + answer.ttl_seconds * 1_000;
      clearTimeout(watchdog);
      watchdog = setTimeout(lost, endsAt - performance.now());
      if (answer.state === "stopping") end.abort("stop requested");
      const nextAt = answer.lease_extended ? sentAt + (answer.ttl_seconds * 1_000) / 3 : endsAt;
      await sleep(Math.max(0, nextAt - performance.now()), undefined, { signal: over }).catch(() => {});
    }
  } catch {
    lost();
  } finally {
    clearTimeout(watchdog);
  }
}

const runCommand = (text, signal) =>
  new Promise((resolve, reject) => {
    const child = execFile(program, args, { signal }, (error, stdout) => (error ? reject(error) : resolve(stdout)));
    // Whether it reads what it is told is the command's choice.
    child.stdin.on("error", () => {}).end(text);
  });

async function runTurn(item, token) {
  const session = `${api}/sessions/${item.data.id}`;
  const ackedAt = performance.now();
  await persist(() => call("POST", `${queue}/${item.id}/ack`, { token }));
  const [end, over] = [new AbortController(), new AbortController()];
  const lease = keepLease(item, token, end, over.signal, ackedAt);
  const send = (event) => call("POST", `${session}/events`, { token, body: { events: [event] } });
  try {
    const newestFirst = `${session}/events?types=user.message&order=desc&limit=1000`;
    const { answer } = await persist(() => call("GET", newestFirst, { token }));
    const messages = answer.data.filter((event) => event.processed_at === null).reverse();
    try {
      for (const { content } of messages) {
        const text = await runCommand(content.map((block) => block.text).join("\n"), end.signal);
        await send({ type: "agent.message", content: [{ type: "text", text }] });
      }
    } catch (error) {
      if (!end.signal.aborted) await send({ type: "session.error", error: { message: error.message } });
    }
    if (end.signal.reason === "lease lost") throw new Error("the lease is lost");
    const body = { force: true, processed_through: messages.at(-1)?.id };
    await persist(() => call("POST", `${queue}/${item.id}/stop`, { token, body }));
  } finally {
    over.abort();
    await lease;
  }
}

while (!draining.signal.aborted) {
  const poll = () => {
    const signal = AbortSignal.any([draining.signal, AbortSignal.timeout(40_000)]);
    return call("GET", `${queue}/poll`, { headers: { prefer: "wait=25" }, signal });
  };
  const { answer: item, workToken } = await persist(poll, () => draining.signal.aborted).catch((error) => {
    if (draining.signal.aborted) return {};
    console.error(error.message);
    process.exit(1);
  });
  if (item) await runTurn(item, workToken).catch((error) => console.error(`${item.id} is dropped: ${error.message}`));
}
