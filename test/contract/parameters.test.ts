import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OPERATIONS } from "../../src/contract/operations.ts";
import { accepts, HEX, read, refusedIn } from "./support.ts";

const poll = OPERATIONS.pollWork.query;
const heartbeat = OPERATIONS.heartbeatWork.query;
const listWork = OPERATIONS.listWork.query;
const listSessions = OPERATIONS.listSessions.query;
const listEvents = OPERATIONS.listEvents.query;

const NO_INTEGERS = [
  "",
  " ",
  " 5",
  "5 ",
  "+5",
  "-5",
  "-0",
  "05",
  "00",
  "5.0",
  "1e2",
  "0x5",
  "5n",
  "５",
  "5,6",
  "null",
  "5\n",
];
const HUGE = ["9007199254740991", "9007199254740993", "99999999999999999999", `1${"0".repeat(400)}`];

describe("an integer in the query", () => {
  it("is read from its canonical spelling", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999 }), (number) => {
        expect(read(poll, { block_ms: String(number) }).value).toEqual({ block_ms: number });
      }),
    );
    expect(read(poll, { reclaim_older_than_ms: "0" }).value).toEqual({ reclaim_older_than_ms: 0 });
  });

  it("is refused when it is repeated, or given as a list, and told how often it was", () => {
    expect(read(poll, { block_ms: ["5"] }).message).toMatch(/^is given as a list; give it once/);
    expect(read(poll, { block_ms: ["5", "6"] }).message).toMatch(/^is given 2 times; give it once/);
  });

  it.each(NO_INTEGERS)("is refused as %j, under its name", (text) => {
    expect(refusedIn(poll, { block_ms: text })).toBe("block_ms");
    expect(refusedIn(poll, { reclaim_older_than_ms: text })).toBe("reclaim_older_than_ms");
    expect(refusedIn(heartbeat, { desired_ttl_seconds: text })).toBe("desired_ttl_seconds");
    expect(refusedIn(listWork, { limit: text })).toBe("limit");
  });

  it("is refused when it is repeated, also with the same value", () => {
    expect(read(poll, { block_ms: ["5", "5"] })).toMatchObject({
      refused: "block_ms",
      message: expect.stringMatching(/2 times/),
    });
    expect(refusedIn(poll, { block_ms: [] })).toBe("block_ms");
  });

  it("is refused outside of its range", () => {
    for (const text of ["0", "1000", ...HUGE]) expect(refusedIn(poll, { block_ms: text })).toBe("block_ms");
    expect(refusedIn(heartbeat, { desired_ttl_seconds: "0" })).toBe("desired_ttl_seconds");
    for (const text of ["0", "101", ...HUGE]) expect(refusedIn(listSessions, { limit: text })).toBe("limit");
    expect([accepts(listSessions, { limit: "100" }), accepts(listEvents, { limit: "1000" })]).toEqual([true, true]);
    expect(refusedIn(listEvents, { limit: "1001" })).toBe("limit");
  });

  it("is capped, not refused, as the limit of the list of work, however large it is", () => {
    for (const text of ["100", "101", ...HUGE]) expect(read(listWork, { limit: text }).value).toEqual({ limit: 100 });
    expect(refusedIn(listWork, { limit: "0" })).toBe("limit");
  });

  it("may be as large as it likes where there is no upper bound", () => {
    for (const text of HUGE) {
      const { value } = read(heartbeat, { desired_ttl_seconds: text });
      expect(value).toEqual({ desired_ttl_seconds: Number.MAX_SAFE_INTEGER });
    }
  });
});

describe("the query", () => {
  it("may leave everything out, and ignores what it does not know", () => {
    for (const schema of [poll, heartbeat, listWork, listSessions, listEvents]) {
      expect(read(schema, { beta: "true", unknown: ["1", "2"] }).value).toEqual({});
    }
  });
});

describe("a boolean in the query", () => {
  it("is true or false, and nothing else", () => {
    expect(read(listSessions, { include_archived: "true" }).value).toEqual({ include_archived: true });
    expect(read(listSessions, { include_archived: "false" }).value).toEqual({ include_archived: false });
    for (const text of ["", "1", "0", "TRUE", "yes", " true", ["true", "true"]]) {
      expect(refusedIn(listSessions, { include_archived: text })).toBe("include_archived");
    }
  });
});

describe("a cursor", () => {
  it.each(["page", "after_id", "before_id"])(
    "%s is a well-formed id of the list's own kind, existing or not",
    (name) => {
      expect(read(listWork, { [name]: `work_${HEX}` }).value).toEqual({ [name]: `work_${HEX}` });
      const malformed = [
        "",
        "work_",
        HEX,
        `sess_${HEX}`,
        `work_${HEX}0`,
        `WORK_${HEX}`,
        `work_${HEX.toUpperCase()}`,
        `work_${HEX}\n`,
      ];
      for (const text of malformed) expect(refusedIn(listWork, { [name]: text })).toBe(name);
      expect(refusedIn(listWork, { [name]: [`work_${HEX}`, `work_${HEX}`] })).toBe(name);
    },
  );
});

describe("a filter", () => {
  it("is one of its choices", () => {
    expect(read(listWork, { state: "stopped" }).value).toEqual({ state: "stopped" });
    for (const text of ["", "Stopped", "done", ["stopped", "queued"]])
      expect(refusedIn(listWork, { state: text })).toBe("state");
    expect(refusedIn(listEvents, { order: "ascending" })).toBe("order");
  });

  it("that takes several values takes them repeated, separated by commas, or both", () => {
    for (const types of ["user.message,agent.message", ["user.message", "agent.message"]]) {
      expect(read(listEvents, { types }).value).toEqual({ types: ["user.message", "agent.message"] });
    }
    for (const types of ["", "user.message,", "bogus", ["user.message", "bogus"], "constructor"]) {
      expect(refusedIn(listEvents, { types })).toBe("types");
    }
    expect(refusedIn(listSessions, { statuses: Array(101).fill("idle").join() })).toBe("statuses");
  });
});

describe("expected_last_heartbeat", () => {
  const expected = (text: unknown) => read(heartbeat, { expected_last_heartbeat: text });

  it("is NO_HEARTBEAT, a time, or left out, and these three are told apart", () => {
    expect(expected("NO_HEARTBEAT").value).toEqual({ expected_last_heartbeat: { at: null } });
    const at = Date.UTC(2026, 6, 1, 8) * 1_000;
    expect(expected("2026-07-01T08:00:00.000001Z").value).toEqual({ expected_last_heartbeat: { at: at + 1 } });
    expect(expected("2026-07-01T10:00:00.000001+02:00").value).toEqual({ expected_last_heartbeat: { at: at + 1 } });
    expect(read(heartbeat, {}).value).toEqual({});
  });

  it.each(["", "null", "no_heartbeat", "NO_HEARTBEAT ", "yesterday", "2026-07-01", "2026-02-30T00:00:00Z"])(
    "is refused as %j",
    (text) => {
      expect(expected(text).refused).toBe("expected_last_heartbeat");
    },
  );

  it("tells a person what a plus in a query string turns into", () => {
    expect(expected("2026-07-01T08:00:00 02:00").message).toContain("%2B");
    expect(expected(["NO_HEARTBEAT", "NO_HEARTBEAT"]).refused).toBe("expected_last_heartbeat");
  });
});

describe("a header", () => {
  const worker = OPERATIONS.ackWork.headers;
  const beat = OPERATIONS.heartbeatWork.headers;

  it("with a name is printable ASCII of at most 256 characters, and counts as not sent when it is empty", () => {
    for (const id of ["w", "host-1/gpu 0", "~".repeat(256)]) {
      expect(read(worker, { "worker-id": id }).value).toEqual({ "worker-id": id });
    }
    expect(read(worker, { "worker-id": "" }).value).toEqual({});
    for (const id of ["w\u00e4rker", "a\tb", "a\nb", " w", "w ", " ", "x".repeat(257), ["a", "b"]]) {
      expect(refusedIn(worker, { "worker-id": id })).toBe("worker-id");
    }
    expect(refusedIn(beat, { "idempotency-key": "x".repeat(257) })).toBe("idempotency-key");
  });

  it("declares a retry with a count of 1 or more, and with nothing else", () => {
    const retry = (count: unknown) =>
      (read(beat, { "x-stainless-retry-count": count }).value as Record<string, unknown>)["x-stainless-retry-count"];
    expect(["1", "2", "17"].map(retry)).toEqual([true, true, true]);
    expect(["0", "", "-1", "01", "1.0", "many", ["1", "1"]].map(retry)).toEqual(Array(7).fill(false));
  });

  it("asks for a longer wait in whole seconds, brought down to 60, and is no error when it asks for something else", () => {
    const prefer = (text: unknown) =>
      (read(OPERATIONS.pollWork.headers, { prefer: text }).value as { prefer?: number }).prefer;
    expect(
      ["wait=5", 'wait="5"', "respond-async, wait=30", "WAIT = 7", "wait=60", "wait=61", `wait=${"9".repeat(400)}`].map(
        prefer,
      ),
    ).toEqual([5, 5, 30, 7, 60, 60, 60]);
    for (const text of [
      "",
      "wait=0",
      "wait=-1",
      "wait=",
      "wait=5x",
      "await=5",
      "respond-async",
      ["wait=5"],
      undefined,
    ]) {
      expect(prefer(text)).toBeUndefined();
    }
  });
});
