import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type SseFrame, SseParser, SseTooLong } from "../../src/client/sse.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function read(text: string, maxCharacters = 1_000): SseFrame[] {
  return new SseParser(maxCharacters).push(bytes(text));
}

const data = (text: string): string[] => read(text).map((frame) => frame.data);

describe("a stream of server-sent events", () => {
  test("names an id, a type and data, and dispatches at the blank line", () => {
    expect(read("id: 7\nevent: agent.message\ndata: x\n\ndata: y\n\n")).toEqual([
      { id: "7", event: "agent.message", data: "x" },
      { id: "7", event: "message", data: "y" },
    ]);
  });

  test("may end its lines with CR, LF or both", () => {
    for (const end of ["\n", "\r", "\r\n"])
      expect(data(`data: a${end}data: b${end}${end}data: c${end}${end}`)).toEqual(["a\nb", "c"]);
  });

  test("loses one blank after the colon, and no more", () => {
    expect(data("data:a\n\ndata: b\n\ndata:  c\n\ndata\n\ndata:\n\n")).toEqual(["a", "b", " c", "", ""]);
  });

  test("holds comments and fields that nobody knows, which mean nothing", () => {
    expect(data(": keep-alive\n\n:\ndata: a\nunknown: b\nDATA: c\n\n")).toEqual(["a"]);
  });

  test("moves its position without an event when a block has no data", () => {
    expect(read("id: 1\n\nevent: gone\n\ndata: a\n\n")).toEqual([{ id: "1", event: "message", data: "a" }]);
  });

  test("ignores an id with a NUL", () => {
    expect(read("id: 1\nid: 2\u0000\ndata: a\n\n")).toMatchObject([{ id: "1" }]);
  });

  test("ends in the middle of an event, which is then none", () => {
    expect(data("data: a\n\ndata: b\n")).toEqual(["a"]);
  });

  test("may begin with a byte order mark", () => {
    expect(data("\ufeffdata: a\n\n")).toEqual(["a"]);
  });

  test("says how soon to come back, in digits only", () => {
    const parser = new SseParser(100);
    parser.push(bytes("retry: 1500\n\n"));
    for (const wrong of ["1.5", "-1", "soon", "", "99999999999"]) parser.push(bytes(`retry: ${wrong}\n\n`));
    expect(parser.retryMs).toBe(1_500);
  });
});

const line = fc.oneof(
  fc.constantFrom("", "", ":", ": comment", "data", "data: ", "id: 1", "id:2", "event: e", "retry: 5", "x: y"),
  fc.string({ unit: "binary", maxLength: 12 }).map((text) => `data: ${text.replace(/[\r\n]/g, "")}`),
);
const stream = fc.array(fc.tuple(line, fc.constantFrom("\n", "\r", "\r\n"))).map((lines) => lines.flat().join(""));

test("however the bytes are cut, the events are the same", () => {
  fc.assert(
    fc.property(stream, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (text, sizes) => {
      const all = bytes(text);
      const parser = new SseParser(1_000);
      const frames: SseFrame[] = [];
      for (let at = 0, turn = 0; at < all.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        frames.push(...parser.push(all.subarray(at, at + size)));
        at += size;
      }
      expect(frames).toEqual(read(text));
    }),
    { numRuns: 500 },
  );
});

test("a line of many megabytes arrives whole", () => {
  const parser = new SseParser(32 * 2 ** 20);
  const chunk = bytes("x".repeat(2 ** 16));
  parser.push(bytes("data: "));
  for (let count = 0; count < 480; count++) expect(parser.push(chunk)).toEqual([]);
  expect(parser.push(bytes("\n\n"))[0]?.data).toHaveLength(480 * 2 ** 16);
});

test("a line or an event beyond the limit is refused before it fills the memory", () => {
  const endless = new SseParser(1_000);
  expect(() => {
    for (;;) endless.push(bytes("x".repeat(100)));
  }).toThrow(SseTooLong);
  const manyLines = new SseParser(1_000);
  expect(() => {
    for (;;) manyLines.push(bytes("data: x\n"));
  }).toThrow(SseTooLong);
});
