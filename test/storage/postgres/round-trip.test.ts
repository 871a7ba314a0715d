import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Client, Connections } from "../../../src/storage/postgres/connection.ts";
import { POSTGRES_LIMITS } from "../../../src/storage/postgres/options.ts";
import type { RoundTrip, Take } from "../../../src/storage/postgres/round-trip.ts";
import { sql } from "../../../src/storage/postgres/sql.ts";
import type { Row } from "../../../src/storage/rows/index.ts";
import { createTestPostgres, type TestPostgres } from "../../support/postgres.ts";

const ONE = sql("one", "SELECT $1::bigint AS number, $2::text AS text, NULL AS nothing, true AS yes");
const SLOW = sql("slow", "SELECT pg_sleep($1::float8)");
const DIVIDE = sql("divide", "SELECT 1 / $1::int AS result");
const PREPARED = sql("prepared", "SELECT name FROM pg_prepared_statements ORDER BY name");
const BEGIN = sql("begin", "BEGIN");
const NOTE = sql("note", "INSERT INTO note SELECT unnest($1::text[])");
const COMMIT = sql("commit", "COMMIT");

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await createTestPostgres();
  await postgres.sql("CREATE TABLE note (text text NOT NULL CHECK (text <> 'wrong'))");
});
afterAll(() => postgres.drop());

/** The parts of the driver that tell what is on the wire. */
interface Wired {
  readonly connection: { on(message: string, listener: () => void): void };
}

function countOn(client: Client, message: "parseComplete" | "readyForQuery" | "rowDescription"): () => number {
  let count = 0;
  (client as unknown as Wired).connection.on(message, () => (count += 1));
  return () => count;
}

describe.each([true, false])("a round trip, with statements that stay prepared: %s", (prepare) => {
  let connections: Connections;
  const trip = (): RoundTrip => connections.roundTrip();
  beforeEach(() => {
    const limits = { ...POSTGRES_LIMITS, answerTimeoutMs: 300 };
    connections = new Connections({ url: postgres.url, prepare, limits }, 1);
  });
  afterEach(() => connections.close());

  /** Keeps what a statement answers. */
  function kept(): [Take, () => readonly Row[] | undefined] {
    let rows: readonly Row[] | undefined;
    return [(taken) => (rows = taken), () => rows];
  }

  it("brings the rows of each statement, as the tables expect them, and the last command's name", () =>
    connections.use(async (client) => {
      for (const number of [7, 1_760_000_000_000_000]) {
        const [takeOne, one] = kept();
        const [takeNote, note] = kept();
        const both = trip();
        both.add(ONE, [number, null], takeOne);
        both.add(NOTE, ["{}"], takeNote);
        expect(await both.run(client)).toBe("INSERT");
        expect(one()).toEqual([{ number, text: null, nothing: null, yes: 1 }]);
        expect(note()).toEqual([]);
      }
    }));

  it("is answered once, however many statements it has, and asks once what their answers look like", () =>
    connections.use(async (client) => {
      const [ready, parsed, described] = (["readyForQuery", "parseComplete", "rowDescription"] as const).map(
        (message) => countOn(client, message),
      );
      for (let time = 1; time <= 3; time++) {
        const several = trip();
        several.add(ONE, [time, "a"]);
        several.add(DIVIDE, [1]);
        several.add(ONE, [time, "b"]);
        await several.run(client);
        expect(ready?.()).toBe(time);
      }
      expect(parsed?.()).toBe(prepare ? 2 : 9);
      expect(described?.()).toBe(prepare ? 3 : 9);
    }));

  it("that fails has done nothing, tells the first failure, and leaves a connection that can go on", () =>
    connections.use(async (client) => {
      const failing = trip();
      const [take, rows] = kept();
      failing.add(BEGIN);
      failing.add(NOTE, ["{lost}"], take);
      failing.add(DIVIDE, [0]);
      failing.add(NOTE, ["{wrong}"]);
      failing.add(COMMIT);
      await expect(failing.run(client)).rejects.toMatchObject({ code: "22012" });
      expect(rows()).toBeUndefined();
      await client.query("ROLLBACK");
      const next = trip();
      next.add(BEGIN);
      next.add(DIVIDE, [1]);
      next.add(NOTE, [`{kept by ${prepare}}`]);
      next.add(COMMIT);
      expect(await next.run(client)).toBe("COMMIT");
      const notes = await postgres.sql("SELECT text FROM note WHERE text LIKE 'kept by%' OR text = 'lost'");
      expect(notes).toContainEqual({ text: `kept by ${prepare}` });
      expect(notes).not.toContainEqual({ text: "lost" });
      const [takePrepared, prepared] = kept();
      const asking = trip();
      asking.add(PREPARED, [], takePrepared);
      await asking.run(client);
      const names = prepared()?.map(({ name }) => name);
      expect(names).toEqual(prepare ? ["begin", "commit", "divide", "note", "prepared"] : []);
    }));

  it("without an answer in time ends the connection, and nobody waits on it any more", async () => {
    const pid = sql("pid", "SELECT pg_backend_pid() AS pid");
    const pidOf = async (client: Client): Promise<unknown> => {
      const [take, rows] = kept();
      const asking = trip();
      asking.add(pid, [], take);
      await asking.run(client);
      return rows()?.[0]?.pid;
    };
    const first = await connections.use(pidOf);
    const failures: unknown[] = [];
    const failed = (error: unknown) => failures.push(error);
    const broken = connections.use(async (client) => {
      const slow = trip();
      slow.add(SLOW, [30]);
      await slow.run(client).catch(failed);
      await client.query("ROLLBACK").catch(failed);
      throw failures[0];
    });
    await expect(broken).rejects.toThrow("Query read timeout");
    // At once, and not when its own time is over.
    expect((failures[1] as Error).message).toMatch(/^Connection terminated|not queryable/);
    expect(await connections.use(pidOf)).not.toBe(first);
  });
});
