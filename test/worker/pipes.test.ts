import { PassThrough, Readable } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readPipe, readTail } from "../../src/worker/pipes.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const CUT = AbortSignal.abort();

/** Reads a pipe beside the test, which lets the time pass. */
function reading(chunks: AsyncIterable<Buffer>, eachTakesMs = 0) {
  const seen = { bytes: 0, ended: false };
  const ended = (async () => {
    for await (const chunk of chunks) {
      seen.bytes += chunk.length;
      if (eachTakesMs > 0) await new Promise((resolve) => setTimeout(resolve, eachTakesMs));
    }
    seen.ended = true;
  })();
  return { seen, ended };
}

test("a pipe that stays open ends after a silence when its command has ended, and not before that", async () => {
  const pipe = new PassThrough();
  const cut = new AbortController();
  const { seen } = reading(readPipe(pipe, cut.signal));
  pipe.write("one");
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(seen).toEqual({ bytes: 3, ended: false });
  cut.abort();
  await vi.advanceTimersByTimeAsync(400);
  expect(seen).toEqual({ bytes: 3, ended: true });
});

test("somebody who goes on writing into the pipe of a command that has ended does not keep it from ending", async () => {
  const pipe = new PassThrough();
  const { seen } = reading(readPipe(pipe, CUT));
  setInterval(() => pipe.write("x"), 100);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(seen.ended).toBe(true);
  expect(seen.bytes).toBeGreaterThan(0);
});

test("nor does somebody who never lets the pipe run empty", async () => {
  const endless = new Readable({ read: () => void setImmediate(() => endless.push(Buffer.alloc(65_536))) });
  vi.useRealTimers();
  const { seen, ended } = reading(readPipe(endless, CUT));
  await ended;
  expect(seen.bytes).toBeGreaterThanOrEqual(1024 * 1024);
});

test("what the command wrote is read to its end, however long its consumer takes", async () => {
  let left = 100;
  const pipe = new Readable({ highWaterMark: 1, read: () => queueMicrotask(() => left-- > 0 && pipe.push("x")) });
  const { seen } = reading(readPipe(pipe, CUT), 60_000);
  await vi.advanceTimersByTimeAsync(99 * 60_000);
  expect(seen.ended).toBe(false);
  await vi.advanceTimersByTimeAsync(2 * 60_000);
  expect(seen).toEqual({ bytes: 100, ended: true });
});

test("when nobody wants to know any more, nothing is waited for", async () => {
  const over = new AbortController();
  const { ended } = reading(readPipe(new PassThrough(), new AbortController().signal, over.signal));
  const tail = readTail(new PassThrough(), CUT, over.signal);
  over.abort();
  await ended;
  expect(await tail).toBe("");
});
