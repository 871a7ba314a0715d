import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NewEvent } from "../../src/core/turn.ts";
import { openPostgresArchive } from "../../src/storage/postgres/archive.ts";
import { openPostgresStore } from "../../src/storage/postgres/store.ts";
import type { Row } from "../../src/storage/rows/index.ts";
import { openSqliteArchive } from "../../src/storage/sqlite/archive.ts";
import { openSqliteStore } from "../../src/storage/sqlite/store.ts";
import { type Store, StoreRefused } from "../../src/storage/store.ts";
import { Chunk, exportLines, importLines, type StoreArchive } from "../../src/storage/transfer.ts";
import { createTestSchema } from "../support/postgres.ts";
import { agentEvent, HOSTILE_TEXT, MESSAGE, POLICY, value } from "./conformance/support.ts";

const PAGE = { limit: 1_000, order: "ascending" } as const;

interface Place {
  store(): Promise<Store>;
  archive(): Promise<StoreArchive>;
  drop(): Promise<unknown>;
}

async function sqlite(): Promise<Place> {
  const dataDir = await mkdtemp(join(tmpdir(), "capstan-transfer-"));
  return {
    store: () => openSqliteStore({ dataDir }),
    archive: () => openSqliteArchive(dataDir),
    drop: () => rm(dataDir, { recursive: true }),
  };
}

async function postgres(): Promise<Place> {
  const { url, schema, drop } = await createTestSchema();
  return { store: () => openPostgresStore({ url, schema }), archive: () => openPostgresArchive({ url, schema }), drop };
}

/** One of everything, in every state, with text that does not like to travel. */
async function fill(store: Store): Promise<void> {
  const metadata = { a: HOSTILE_TEXT };
  const made = await store.execute("createEnvironment", {
    ...{ name: HOSTILE_TEXT, description: "", config: { type: "self_hosted", b: 1.5, a: HOSTILE_TEXT } },
    ...{ selfHosted: true, policy: POLICY, metadata },
  });
  const environmentId = value(made).id;
  const agent = value(await store.execute("createAgent", { fields: { name: HOSTILE_TEXT }, metadata }));
  value(await store.execute("updateAgent", { agentId: agent.id, version: 1, fields: { model: "m" } }));
  const token = { name: HOSTILE_TEXT, role: "worker", environmentId, hash: "h", expiresInSeconds: 9 } as const;
  value(await store.execute("createToken", token));
  await store.secret("key");
  for (let steps = 0; steps < 6; steps++) {
    const session = value(
      await store.execute("createSession", {
        ...{ environmentId, agent: { agentId: agent.id, version: 1 }, title: HOSTILE_TEXT, metadata },
        initialEvents: [MESSAGE, agentEvent(HOSTILE_TEXT)],
      }),
    );
    const target = { environmentId, workId: session.liveWorkId as string, workerId: "w'1" };
    const beat = { ...target, expected: undefined, ttlSeconds: 60, declaredRetry: false, idempotencyKey: "k" };
    const walk = [
      () => store.execute("ack", target),
      () => store.execute("heartbeat", beat),
      () => store.execute("stop", { ...target, force: false }),
      () => store.execute("heartbeat", beat),
      () => store.execute("stop", { ...target, force: true }),
    ];
    for (const step of walk.slice(0, steps)) expect((await step()).refused).toBeUndefined();
  }
}

/** Everything that a store tells. */
async function told(store: Store): Promise<unknown> {
  const environments = (await store.listEnvironments(PAGE, { includeArchived: true })).data;
  const sessions = (await store.listSessions(PAGE, { includeArchived: true })).data;
  const agents = (await store.listAgents(PAGE, { includeArchived: true })).data;
  return {
    environments,
    sessions,
    agents,
    works: await Promise.all(environments.map(({ id }) => store.listWork(id, PAGE, {}))),
    events: await Promise.all(sessions.map(({ id }) => store.listEvents(id, PAGE, {}))),
    versions: await Promise.all(agents.map(({ id }) => store.listAgentVersions(id, null, 9))),
    byAgent: await Promise.all(
      agents.map(({ id }) => store.listSessions(PAGE, { includeArchived: true, agentId: id })),
    ),
    tokens: (await store.listTokens(PAGE)).data,
    secret: await store.secret("key"),
    counts: (await store.countWork()).toSorted((a, b) => (a.state < b.state ? -1 : 1)),
  };
}

async function* lines(of: readonly string[]): AsyncGenerator<string> {
  yield* of;
}

async function exported(place: Place): Promise<string[]> {
  const archive = await place.archive();
  try {
    const all: string[] = [];
    for await (const line of exportLines(archive)) all.push(line);
    return all;
  } finally {
    await archive.close();
  }
}

async function imported(place: Place, text: readonly string[]): Promise<unknown> {
  const archive = await place.archive();
  try {
    return await importLines(lines(text), archive);
  } finally {
    await archive.close();
  }
}

async function use<T>(place: Place, act: (store: Store) => Promise<T>): Promise<T> {
  const store = await place.store();
  try {
    return await act(store);
  } finally {
    await store.close();
  }
}

describe.each([
  ["SQLite", "PostgreSQL", sqlite, postgres],
  ["PostgreSQL", "SQLite", postgres, sqlite],
] as const)("an export of %s into %s", (_from, _to, makeFrom, makeTo) => {
  let from: Place;
  let to: Place;
  beforeAll(async () => {
    [from, to] = [await makeFrom(), await makeTo()];
    await use(from, fill);
  });
  afterAll(() => Promise.all([from.drop(), to.drop()]));

  test("brings everything over, and both count the same", async () => {
    const text = await exported(from);
    const counts = JSON.parse(text.at(-1) as string).counts;
    expect(counts).toMatchObject({
      environment: 1,
      agent: 1,
      agent_version: 2,
      session: 6,
      work: 6,
      token: 1,
      secret: 1,
    });
    expect(await imported(to, text)).toEqual(counts);
    expect(await use(to, told)).toEqual(await use(from, told));
  });

  test("goes on where the other one was", async () => {
    await use(to, async (store) => {
      const [environment] = (await store.listEnvironments(PAGE, { includeArchived: true })).data;
      const poll = { environmentId: environment?.id as string, workerId: "w", reclaimOlderThanMs: 5_000 };
      expect(value(await store.execute("poll", poll))?.item.state).toBe("queued");
      expect(value(await store.execute("poll", poll))).toBeNull();
    });
  });

  test("is refused where something is already", async () => {
    const refused = imported(to, await exported(from));
    await expect(refused).rejects.toThrow(StoreRefused);
    await expect(refused).rejects.toThrow(/ is not empty\. Import into a new one\.$/);
  });
});

/** The same archive, which notes how much is in memory at once. */
function watched(archive: StoreArchive): { archive: StoreArchive; portions: { rows: number; bytes: number }[] } {
  const portions: { rows: number; bytes: number }[] = [];
  const note = (rows: readonly Row[]) => {
    const bytes = rows.reduce((sum, row) => sum + Object.values(row).join("").length, 0);
    if (rows.length > 0) portions.push({ rows: rows.length, bytes });
    return rows;
  };
  const noting: StoreArchive = {
    name: archive.name,
    counts: () => archive.counts(),
    async *read(table) {
      for await (const rows of archive.read(table)) yield note(rows);
    },
    write: (table, rows) => archive.write(table, note(rows)),
    commit: () => archive.commit(),
    close: () => archive.close(),
  };
  return { archive: noting, portions };
}

describe("rows that are many, or long, are in memory a few at a time", () => {
  const LONG = Chunk.MAX.bytes / 4;
  let places: Place[];
  beforeAll(async () => {
    places = [await sqlite(), await postgres(), await sqlite()];
    await use(places[0] as Place, async (store) => {
      const environment = { name: "q", description: "", config: {}, selfHosted: true, policy: POLICY, metadata: {} };
      const environmentId = value(await store.execute("createEnvironment", environment)).id;
      const input = { environmentId, agent: null, title: null, metadata: {}, initialEvents: [] };
      const sessionId = value(await store.execute("createSession", input)).id;
      const send = (events: readonly NewEvent[]) =>
        store.execute("sendEvents", { sessionId, events, sender: { role: "user" } }).then(value);
      await send(Array.from({ length: 2 * Chunk.MAX.rows }, () => agentEvent("small")));
      for (let n = 0; n < 9; n++) await send([agentEvent(`${n}`.repeat(LONG))]);
      await send([agentEvent("y".repeat(Chunk.MAX.bytes + 1)), agentEvent("the last")]);
    });
  });
  afterAll(() => Promise.all(places.map((place) => place.drop())));

  test.each([
    ["SQLite to PostgreSQL", 0, 1],
    ["PostgreSQL to SQLite", 1, 2],
  ])("from %s", async (_way, from, to) => {
    const [source, target] = [places[from], places[to]] as [Place, Place];
    const reading = watched(await source.archive());
    const writing = watched(await target.archive());
    const counts = await importLines(exportLines(reading.archive), writing.archive).finally(() =>
      Promise.all([reading.archive.close(), writing.archive.close()]),
    );

    expect(counts.event).toBe(2 * Chunk.MAX.rows + 11);
    for (const { portions } of [reading, writing]) {
      for (const { rows, bytes } of portions) {
        expect(rows).toBeLessThanOrEqual(Chunk.MAX.rows);
        if (rows > 1) expect(bytes).toBeLessThanOrEqual(Chunk.MAX.bytes);
      }
      expect(Math.max(...portions.map(({ rows }) => rows))).toBe(Chunk.MAX.rows);
    }
    const texts = await Promise.all([source, target].map(exported));
    expect(texts[0]?.toSorted()).toEqual(texts[1]?.toSorted());
  });
});

test("an export of SQLite survives that garbage is collected while its rows travel", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const place = await sqlite();
  const agents = Chunk.MAX.rows * 2;
  await use(place, async (store) => {
    const made = Array.from({ length: agents }, () => store.execute("createAgent", { fields: {}, metadata: {} }));
    await Promise.all(made);
  });
  const archive = await place.archive();
  let read = 0;
  for await (const rows of archive.read("agent")) {
    read += rows.length;
    collectGarbage();
    await setTimeout(10);
  }
  await archive.close();
  expect(read).toBe(agents);
  await place.drop();
});

describe("an export that is not whole", () => {
  let place: Place;
  let text: string[];
  beforeAll(async () => {
    const from = await sqlite();
    await use(from, fill);
    text = await exported(from);
    await from.drop();
    place = await sqlite();
  });
  afterAll(() => place.drop());

  test.each([
    ["something else", () => ['{"hello":1}'], "This is not an export of Capstan."],
    ["of a later format", () => ['{"format":"capstan-export","version":2}'], "has format 2"],
    ["without its end", () => text.slice(0, -1), "The export ends too early."],
    ["with a line missing", () => text.toSpliced(5, 1), "Nothing was kept: make the export again."],
    ["with a line cut short", () => text.with(3, text[3]?.slice(0, 40) as string), "Line 4 of the export is damaged."],
    ["with a value missing", () => text.with(1, '["environment","env_1"]'), "Line 2 of the export is damaged."],
  ])("%s leaves the store empty", async (_what, spoilt, sentence) => {
    await expect(imported(place, spoilt())).rejects.toThrow(sentence);
    const archive = await place.archive();
    expect(Object.values(await archive.counts()).every((count) => count === 0)).toBe(true);
    await archive.close();
  });
});
