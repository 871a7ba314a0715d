import { expect, test } from "vitest";
import { ApiError } from "../../src/client/index.ts";
import type { NewSessionEvent } from "../../src/worker/index.ts";
import { textEvent } from "../../src/worker/output-events.ts";
import { LineSplitter } from "../../src/worker/output-lines.ts";
import { OutputQueue } from "../../src/worker/output-queue.ts";

function linesOf(chunks: readonly (string | Buffer)[], maxBytes?: number): string[] {
  const splitter = new LineSplitter(maxBytes);
  const lines = chunks.flatMap((chunk) => [...splitter.push(Buffer.from(chunk))]);
  return [...lines, ...splitter.end()];
}

test("lines are the same however the bytes were cut into chunks", () => {
  const text = Buffer.from("one\r\ntwo €uro 😀\n\n \nlast");
  for (let size = 1; size <= text.length; size += 1) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < text.length; at += size) chunks.push(text.subarray(at, at + size));
    expect(linesOf(chunks)).toEqual(["one", "two €uro 😀", "last"]);
  }
});

test("a line that is too long is cut between characters, and nothing of it is lost", () => {
  const line = "€".repeat(100);
  const pieces = linesOf([`${line}\nnext\n`], 10);
  expect(pieces.slice(0, -1).join("")).toBe(line);
  expect(pieces.slice(0, -1).every((piece) => Buffer.byteLength(piece) <= 10)).toBe(true);
  expect(pieces.at(-1)).toBe("next");
});

test("bytes that are no characters at all are cut as well", () => {
  expect(linesOf([Buffer.alloc(25, 0x80)], 10).map((piece) => piece.length)).toEqual([10, 10, 5]);
});

test("a line without an end is held only up to the bound", () => {
  const splitter = new LineSplitter(1_000);
  let given = 0;
  for (let index = 0; index < 100; index += 1) {
    for (const piece of splitter.push(Buffer.alloc(100, "x"))) given += piece.length;
    expect(index * 100 + 100 - given).toBeLessThanOrEqual(1_000);
  }
});

/** A server that answers a call when the test says so. */
function heldSend() {
  const calls: { events: readonly NewSessionEvent[]; answer: () => void; refuse: (failure: unknown) => void }[] = [];
  const send = (events: readonly NewSessionEvent[]) =>
    new Promise<void>((resolve, reject) => calls.push({ events, answer: resolve, refuse: reject }));
  return { calls, send };
}

const turnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve));

test("the first event is sent at once, and those that come meanwhile share the next call", async () => {
  const { calls, send } = heldSend();
  const queue = new OutputQueue(send);
  for (const line of ["a", "b", "c"]) await queue.push(textEvent(line), line);
  expect(calls.map((call) => call.events.length)).toEqual([1]);
  calls[0]?.answer();
  await turnOfTheLoop();
  expect(calls.map((call) => call.events.length)).toEqual([1, 2]);
  calls[1]?.answer();
  await queue.flush();
});

test("one call carries a bounded number of events, and of bytes", async () => {
  const { calls, send } = heldSend();
  const queue = new OutputQueue(send);
  for (let index = 0; index < 1_200; index += 1) await queue.push(textEvent("x"), "x");
  const megabyte = "y".repeat(1024 * 1024);
  for (let index = 0; index < 2; index += 1) await queue.push(textEvent(megabyte), megabyte);
  for (let index = 0; index < 6; index += 1) {
    calls[index]?.answer();
    await turnOfTheLoop();
  }
  expect(calls.map((call) => call.events.length)).toEqual([1, 500, 500, 199, 1, 1]);
  await queue.flush();
});

test("whoever writes faster than the server takes is held back, and goes on when there is room", async () => {
  const { calls, send } = heldSend();
  const queue = new OutputQueue(send);
  let pushed = 0;
  const writing = (async () => {
    for (; pushed < 5_000; pushed += 1) await queue.push(textEvent("x"), "x");
  })();
  await turnOfTheLoop();
  expect(pushed).toBeLessThanOrEqual(2_001);
  while (pushed < 5_000) {
    calls.at(-1)?.answer();
    await turnOfTheLoop();
  }
  await writing;
  const flushed = queue.flush();
  for (let index = 0; index < 10; index += 1) {
    calls.at(-1)?.answer();
    await turnOfTheLoop();
  }
  await flushed;
  expect(calls.reduce((sum, call) => sum + call.events.length, 0)).toBe(5_000);
});

test("a failure that is final reaches whoever writes and whoever waits for the end", async () => {
  const { calls, send } = heldSend();
  const queue = new OutputQueue(send);
  await queue.push(textEvent("a"), "a");
  const refusal = new ApiError("not yours", { status: 403, type: "permission_error" });
  calls[0]?.refuse(refusal);
  await expect(queue.flush()).rejects.toBe(refusal);
  await expect(queue.push(textEvent("b"), "b")).rejects.toBe(refusal);
});

test("a failure frees a writer that is held back", async () => {
  const { calls, send } = heldSend();
  const queue = new OutputQueue(send);
  const writing = (async () => {
    for (;;) await queue.push(textEvent("x"), "x");
  })();
  await turnOfTheLoop();
  const failure = new Error("lost");
  calls[0]?.refuse(failure);
  await expect(writing).rejects.toBe(failure);
});
