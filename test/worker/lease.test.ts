import { expect, test } from "vitest";
import { ApiError, ConnectionError } from "../../src/client/index.ts";
import type { WorkHeartbeat } from "../../src/contract/shapes.ts";
import { type BeatTry, keepLease, type LeaseNews, type LeasePorts } from "../../src/worker/lease.ts";

interface SeenTry extends BeatTry {
  readonly atMs: number;
}

/** A server's answer to a try, after some milliseconds. */
interface Scripted {
  readonly afterMs?: number;
  readonly answer?: Partial<WorkHeartbeat>;
  readonly failure?: unknown;
  /** By how much the wait after it takes longer than it should. */
  readonly suspendedMs?: number;
}

const TTL_MS = 60_000;

/**
 * The loop does one thing at a time, so its whole world can be simulated by adding up how long each step takes. Ends when
 * the script does, or with the loss of the lease.
 */
async function simulate(script: readonly Scripted[], random = 1, firstBeatWithinMs = TTL_MS, lastHeartbeat?: string) {
  let nowMs = 1_000_000;
  const startedAtMs = nowMs;
  const tries: SeenTry[] = [];
  const news: LeaseNews[] = [];
  const ended = new Error("the script has ended");
  const ports: LeasePorts = {
    nowMs: () => nowMs,
    random: () => random,
    newKey: () => `key ${tries.length}`,
    wait: async (ms) => {
      nowMs += ms + (script[tries.length - 1]?.suspendedMs ?? 0);
    },
    beat: async (tried) => {
      const step = script[tries.length];
      if (step === undefined) throw ended;
      tries.push({ ...tried, atMs: nowMs - startedAtMs });
      nowMs += Math.min(step.afterMs ?? 0, tried.timeoutMs);
      if (step.failure !== undefined) throw step.failure;
      if ((step.afterMs ?? 0) > tried.timeoutMs) throw lostReply();
      const base = { type: "work_heartbeat", lease_extended: true, state: "active", ttl_seconds: 60 } as const;
      return { ...base, last_heartbeat: `beat ${tries.length}`, ...step.answer };
    },
  };
  await keepLease({ ttlSeconds: 60, firstBeatWithinMs, lastHeartbeat }, ports, (one) => news.push(one));
  const told = news.map((one) => (one.type === "beat" ? { ...one, endsAtMs: one.endsAtMs - startedAtMs } : one));
  return { tries, news: told, endedAtMs: nowMs - startedAtMs };
}

const lostReply = () => new ConnectionError("no answer", { maybeDelivered: true, code: "TIMEOUT" });
const refused = (status: number, type = "x") => new ApiError(`status ${status}`, { status, type });
const fine: Scripted = {};
const dead = (failure: unknown, tries = 200): Scripted[] => Array.from({ length: tries }, () => ({ failure }));

test("the first beat is sent at once and expects none before it; each later one expects the one before it", async () => {
  const { tries } = await simulate([fine, fine, fine]);
  expect(tries.map((tried) => tried.expectedLastHeartbeat)).toEqual(["NO_HEARTBEAT", "beat 1", "beat 2"]);
  expect(tries[0]?.atMs).toBe(0);
  expect(new Set(tries.map((tried) => tried.idempotencyKey)).size).toBe(3);
  expect(tries.every((tried) => tried.retryCount === 0 && tried.ttlSeconds === 60)).toBe(true);
});

test("a lease that was somebody else's goes on from the last heartbeat of that", async () => {
  const { tries } = await simulate([fine, fine], 1, TTL_MS, "theirs");
  expect(tries.map((tried) => tried.expectedLastHeartbeat)).toEqual(["theirs", "beat 1"]);
});

test.each([
  [1, [0, 20_000, 40_000]],
  [0, [0, 16_000, 32_000]],
])("with a jitter of %d beats come within every third of the TTL", async (random, times) => {
  const { tries } = await simulate([fine, fine, fine], random);
  expect(tries.map((tried) => Math.round(tried.atMs))).toEqual(times);
});

test("a beat whose reply is lost is sent again as the same beat, declared as a repeat", async () => {
  const { tries, news } = await simulate([fine, { failure: lostReply() }, { failure: refused(503) }, fine, fine]);
  const [, second, third, fourth, fifth] = tries;
  expect([second?.retryCount, third?.retryCount, fourth?.retryCount]).toEqual([0, 1, 2]);
  expect(new Set([second, third, fourth].map((tried) => tried?.idempotencyKey)).size).toBe(1);
  expect([second, third, fourth].map((tried) => tried?.expectedLastHeartbeat)).toEqual(["beat 1", "beat 1", "beat 1"]);
  expect(fifth).toMatchObject({ expectedLastHeartbeat: "beat 4", retryCount: 0 });
  expect(fifth?.idempotencyKey).not.toBe(fourth?.idempotencyKey);
  expect(news.filter((one) => one.type === "beat")).toHaveLength(3);
});

test("the end is reckoned from the first try of a beat, and a late answer is followed by the next beat at once", async () => {
  const slow: Scripted[] = Array.from({ length: 2 }, () => ({ afterMs: 10_000, failure: lostReply() }));
  const { tries, news } = await simulate([fine, ...slow, fine, fine]);
  const firstTryMs = tries[1]?.atMs as number;
  expect(news[2]).toMatchObject({ endsAtMs: firstTryMs + TTL_MS });
  expect(tries[4]?.atMs).toBe(tries[3]?.atMs);
});

test("without an answer the lease is given up exactly when it ends, and never a try is begun after that", async () => {
  const silence = Array.from({ length: 200 }, () => ({ afterMs: 60_000 }));
  const { tries, news, endedAtMs } = await simulate([fine, ...silence]);
  expect(endedAtMs).toBe(TTL_MS);
  expect(news.at(-1)).toEqual({ type: "lost", why: "its time is over: no answer", isOver: false, takenOver: false });
  expect(Math.max(...tries.map((tried) => tried.atMs))).toBeLessThan(TTL_MS);
  expect(Math.max(...tries.map((tried) => tried.atMs + tried.timeoutMs))).toBeLessThanOrEqual(TTL_MS);
  expect(tries.length).toBeGreaterThan(3);
  expect(tries.length).toBeLessThan(30);
});

test("a lost lease names the last failure before its time was over, not the try that its end cut short", async () => {
  const nobody = new ConnectionError("Nobody listens there.", { maybeDelivered: false, code: "ECONNREFUSED" });
  const { tries, news } = await simulate([{ afterMs: 0.3 }, { afterMs: 59_998.2, failure: nobody }, ...dead(nobody)]);
  expect(news.at(-1)).toMatchObject({ type: "lost", why: "its time is over: Nobody listens there" });
  expect(tries.every(({ timeoutMs }) => Number.isInteger(timeoutMs) && timeoutMs > 0)).toBe(true);
});

test("a stretch of failing beats is told once, when it begins", async () => {
  const { news } = await simulate([fine, ...dead(lostReply(), 3), fine, ...dead(refused(503), 2), fine]);
  expect(news.slice(0, 5).map((one) => one.type)).toEqual(["beat", "failing", "beat", "failing", "beat"]);
  expect(news[1]).toMatchObject({ why: "no answer", leftMs: 40_000 });
});

test("a process that was suspended beyond the end of its lease gives it up without asking", async () => {
  const { tries, news } = await simulate([fine, { suspendedMs: 2 * TTL_MS }, fine]);
  expect(tries).toHaveLength(2);
  expect(news.map((one) => one.type)).toEqual(["beat", "beat", "lost"]);
});

test("an answer that arrives after the end of the lease that it renewed saves nothing", async () => {
  const { news } = await simulate([{ afterMs: 9_000, answer: { ttl_seconds: 5 } }, fine]);
  expect(news.map((one) => one.type)).toEqual(["beat", "lost"]);
});

test.each([400, 401, 403, 404, 409, 412])("a beat that is answered with %i loses the lease at once", async (status) => {
  const { news, endedAtMs } = await simulate([fine, { failure: refused(status) }]);
  const why = `the server refused its heartbeat: status ${status}`;
  expect(news.at(-1)).toEqual({ type: "lost", why, isOver: status === 401, takenOver: status === 412 });
  expect(endedAtMs).toBeLessThan(TTL_MS / 2);
});

test("the error page of a proxy loses nothing while there is time", async () => {
  const { news } = await simulate([fine, { failure: refused(404, "http_error") }, fine]);
  expect(news.filter((one) => one.type === "beat")).toHaveLength(2);
});

test("a stop request is told with the beat that brought it, and the beats go on", async () => {
  const stopping: Scripted = { answer: { state: "stopping" } };
  const { tries, news } = await simulate([fine, stopping, stopping]);
  expect(news.slice(0, 3).map((one) => one.type === "beat" && one.state)).toEqual(["active", "stopping", "stopping"]);
  expect(tries).toHaveLength(3);
});

test("after the drain limit the lease is over when its last extension is", async () => {
  const last: Scripted = { answer: { state: "stopping", ttl_seconds: 6 } };
  const notExtended: Scripted = { answer: { state: "stopping", lease_extended: false, ttl_seconds: 0 } };
  const { tries, news, endedAtMs } = await simulate([fine, last, notExtended, fine]);
  expect(tries).toHaveLength(3);
  expect(endedAtMs).toBe((tries[1]?.atMs as number) + 6_000);
  expect(news.at(-1)).toMatchObject({ type: "lost" });
});

test("a first beat that gets no answer is given up when the server has given up on it", async () => {
  const { news, endedAtMs } = await simulate(
    Array.from({ length: 100 }, () => ({ failure: lostReply() })),
    1,
    8_000,
  );
  expect(news.at(-1)).toEqual({ type: "lost", why: "its time is over: no answer", isOver: false, takenOver: false });
  expect(endedAtMs).toBe(8_000);
});

test("a server that asks for patience gets it, but not at the price of the lease", async () => {
  const later = new ApiError("slow", { status: 503, type: "api_error", retryAfterSeconds: 3_600 });
  const { tries, news } = await simulate([fine, { failure: later }, fine]);
  expect((tries[2]?.atMs as number) - (tries[1]?.atMs as number)).toBe(2_000);
  expect(news.filter((one) => one.type === "beat")).toHaveLength(2);
});
