/** The same calls on a session with a short history and on one with a long one. */
import { percentiles, round } from "../support/statistics.mjs";

const API = "/api/v1/cloud";
const SHORT = 100;
const PER_CALL = 1_000;
/** How often each call is made on each of the two, in turn. */
const ROUNDS = 200;
/** How many events a reader that resumes has missed. */
const MISSED = 50;

export async function history(server, events) {
  const token = server.adminToken;
  const environment = await ask(server, token, "POST", "/environments", { name: "h", config: { type: "self_hosted" } });
  const short = await filled(server, token, environment.id, SHORT);
  const long = await filled(server, token, environment.id, events);
  const list =
    (query) =>
    ({ id }) =>
      ask(server, token, "GET", `/sessions/${id}/events?${query}`);
  const calls = {
    first_page: list("limit=100"),
    last_page: list("limit=100&order=desc"),
    page_before_the_end: (session) => list(`limit=50&after_id=${session.before}`)(session),
    resume: (session) => resume(server, token, session),
  };
  const result = {};
  for (const [name, call] of Object.entries(calls)) result[name] = await compare(call, short, long);
  return { short: SHORT, long: events, rounds: ROUNDS, ...result };
}

async function compare(call, short, long) {
  const samples = { short: [], long: [] };
  for (let index = 0; index < ROUNDS + 20; index++) {
    for (const [name, session] of [
      ["short", short],
      ["long", long],
    ]) {
      const begin = performance.now();
      await call(session);
      if (index >= 20) samples[name].push(performance.now() - begin);
    }
  }
  const of = (values) => percentiles(values, { p50: 0.5, p99: 0.99 });
  const [short_ms, long_ms] = [of(samples.short), of(samples.long)];
  return { short_ms, long_ms, ratio: round(long_ms.p50 / short_ms.p50) };
}

/** A session with so many events, and the one after which `MISSED` are left. */
async function filled(server, token, environmentId, count) {
  const id = await newSession(server, environmentId, token);
  const ids = [];
  while (ids.length < count) {
    const events = Array.from({ length: Math.min(PER_CALL, count - ids.length) }, (_, index) => ({
      type: "system.message",
      content: [{ type: "text", text: `${ids.length + index} ${"x".repeat(64)}` }],
    }));
    const { data } = await ask(server, token, "POST", `/sessions/${id}/events`, { events });
    for (const event of data) ids.push(event.id);
  }
  return { id, before: ids.at(-1 - MISSED), last: ids.at(-1) };
}

/** Opens a stream and waits for what was missed. */
async function resume(server, token, session) {
  const stop = new AbortController();
  const headers = { authorization: `Bearer ${token}`, "last-event-id": session.before };
  const response = await fetch(`${server.url}${API}/sessions/${session.id}/events/stream`, {
    headers,
    signal: stop.signal,
  });
  let text = "";
  for await (const bytes of response.body) {
    text += Buffer.from(bytes).toString("latin1");
    if (text.includes(`id: ${session.last}\n`)) break;
  }
  stop.abort();
}

export async function newSession(server, environmentId, token) {
  return (await ask(server, token, "POST", "/sessions", { environment_id: environmentId })).id;
}

async function ask(server, token, method, path, body) {
  const response = await fetch(server.url + API + path, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer.error?.message}`);
  return answer;
}
