import { describe, expect, it } from "vitest";
import { PAGE_BYTES, type Page, type PageRequest } from "../../../src/core/page.ts";
import { WORK_STATES } from "../../../src/core/transitions.ts";
import type { StorageHarness } from "./harness.ts";
import { agentEvent, type Bench, MESSAGE, useBench } from "./support.ts";

interface Identified {
  readonly id: string;
}
type Read = (page: PageRequest) => Promise<Page<Identified>>;

const COUNT = 7;
/** Two of these fit into a page. */
const LONG = "x".repeat(PAGE_BYTES * 0.4);

/** Each list: how it is filled with {@link COUNT} records, and how it is read. Ids in the order of their creation. */
const LISTS: Record<string, (bench: Bench) => Promise<{ ids: string[]; read: Read }>> = {
  environments: async (bench) => ({
    ids: await times(async () => (await bench.environment()).id),
    read: (page) => bench.store.listEnvironments(page, { includeArchived: false }),
  }),
  sessions: async (bench) => {
    const environment = await bench.environment();
    return {
      ids: await times(async () => (await bench.session(environment.id)).id),
      read: (page) => bench.store.listSessions(page, { includeArchived: false }),
    };
  },
  events: async (bench) => {
    const environment = await bench.environment();
    const session = await bench.session(environment.id, []);
    return {
      ids: await times(async () => (await bench.send(session.id, agentEvent()))[0]?.id as string),
      read: (page) => bench.store.listEvents(session.id, page, {}),
    };
  },
  work: async (bench) => {
    const environment = await bench.environment();
    return {
      ids: await times(async () => (await bench.queued(environment.id)).id),
      read: (page) => bench.store.listWork(environment.id, page, {}),
    };
  },
  tokens: async (bench) => ({
    ids: await times(
      async (n) =>
        (
          await bench.do("createToken", {
            name: "t",
            role: "admin",
            environmentId: null,
            hash: `${n}`,
            expiresInSeconds: null,
          })
        ).id,
    ),
    read: (page) => bench.store.listTokens(page),
  }),
  agents: async (bench) => ({
    ids: await times(async () => (await bench.do("createAgent", { fields: {}, metadata: {} })).id),
    read: (page) => bench.store.listAgents(page, { includeArchived: false }),
  }),
};

/** Lists of five records, three of which exceed what a page holds. */
const LARGE: typeof LISTS = {
  events: async (bench) => {
    const environment = await bench.environment();
    const session = await bench.session(environment.id, []);
    return {
      ids: await times(async () => (await bench.send(session.id, agentEvent(LONG)))[0]?.id as string, 5),
      read: (page) => bench.store.listEvents(session.id, page, {}),
    };
  },
  sessions: async (bench) => {
    const environment = await bench.environment();
    const agent = await bench.do("createAgent", { fields: { system: LONG }, metadata: {} });
    const session = {
      environmentId: environment.id,
      agent: { agentId: agent.id, version: null },
      title: null,
      metadata: {},
      initialEvents: [],
    };
    return {
      ids: await times(async () => (await bench.do("createSession", session)).id, 5),
      read: (page) => bench.store.listSessions(page, { includeArchived: false }),
    };
  },
  agents: async (bench) => ({
    ids: await times(async () => (await bench.do("createAgent", { fields: { system: LONG }, metadata: {} })).id, 5),
    read: (page) => bench.store.listAgents(page, { includeArchived: false }),
  }),
};

/** Items in all that can become of one: queued in four ways, one of them delivered, and the other states. */
async function inEveryState(bench: Bench, environmentId: string): Promise<void> {
  const queued = () => bench.queued(environmentId);
  await queued();
  await queued();
  await bench.poll(environmentId);
  for (const delayMs of [0, 60_000]) {
    const released = await queued();
    await bench.ack(released);
    await bench.release(released, delayMs);
  }
  await bench.ack(await queued());
  const [active, stopping, stopped] = [await queued(), await queued(), await queued()];
  for (const item of [active, stopping, stopped]) await bench.activate(item);
  await bench.stop(stopping);
  await bench.stop(stopped, true);
}

async function times(make: (n: number) => Promise<string>, count = COUNT): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push(await make(n));
  return ids;
}

/** Every page from one end to the other, by the cursor of the page before. */
async function walk(read: Read, order: PageRequest["order"], forwards: boolean): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | undefined;
  for (;;) {
    const at = cursor === undefined ? {} : forwards ? { after: cursor } : { before: cursor };
    const page = await read({ limit: 3, order, ...(forwards || cursor ? at : { before: END[order] }) });
    const ids = page.data.map((record) => record.id);
    if (forwards) pages.push(ids);
    else pages.unshift(ids);
    cursor = forwards ? ids.at(-1) : ids[0];
    if (!page.hasMore) return pages;
  }
}

/** Positions behind the last record of any list. */
const END = { ascending: "~", descending: "!" } as const;

export function listTests(harness: StorageHarness): void {
  describe("lists", () => {
    const bench = useBench(harness);

    it.each(Object.keys(LISTS))("of %s yield every record once, in order, in both directions", async (name) => {
      const { ids, read } = await (LISTS[name] as (typeof LISTS)[string])(bench());
      const newestFirst = ids.toReversed();
      expect(ids).toEqual([...ids].sort());
      expect(await walk(read, "ascending", true)).toEqual([ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
      expect(await walk(read, "ascending", false)).toEqual([ids.slice(0, 1), ids.slice(1, 4), ids.slice(4)]);
      expect((await walk(read, "descending", true)).flat()).toEqual(newestFirst);
      expect((await walk(read, "descending", false)).flat()).toEqual(newestFirst);
    });

    it.each(Object.keys(LISTS))("of %s take a cursor that names no record for a position", async (name) => {
      const { ids, read } = await (LISTS[name] as (typeof LISTS)[string])(bench());
      const third = ids[2] as string;
      const between = `${third.slice(0, -1)}${third.endsWith("f") ? "fa" : "f"}`;
      const after = await read({ limit: 2, order: "ascending", after: between });
      expect(after.data.map((record) => record.id)).toEqual(ids.slice(3, 5));
      const before = await read({ limit: 2, order: "ascending", before: between });
      expect(before.data.map((record) => record.id)).toEqual(ids.slice(1, 3));
    });

    it("of sessions know every filter", async () => {
      const [here, there] = [await bench().environment(), await bench().environment()];
      const agent = await bench().do("createAgent", { fields: { name: "a" }, metadata: {} });
      const idle = await bench().session(here.id, []);
      const running = await bench().session(there.id);
      const withAgent = await bench().do("createSession", {
        environmentId: there.id,
        agent: { agentId: agent.id, version: null },
        title: null,
        metadata: {},
        initialEvents: [],
      });
      const archived = await bench().session(here.id, []);
      await bench().do("archiveSession", { sessionId: archived.id });
      const deleted = await bench().session(here.id, []);
      await bench().do("deleteSession", { sessionId: deleted.id });
      const list = async (filter: Partial<Parameters<Bench["store"]["listSessions"]>[1]>) => {
        const page = { limit: 9, order: "ascending" } as const;
        const { data } = await bench().store.listSessions(page, { includeArchived: false, ...filter });
        return data.map((session) => session.id);
      };
      expect(await list({})).toEqual([idle.id, running.id, withAgent.id]);
      expect(await list({ includeArchived: true })).toEqual([idle.id, running.id, withAgent.id, archived.id]);
      expect(await list({ environmentId: here.id })).toEqual([idle.id]);
      expect(await list({ statuses: ["running"] })).toEqual([running.id]);
      expect(await list({ statuses: ["running", "terminated"], includeArchived: true })).toEqual([
        running.id,
        archived.id,
      ]);
      expect(await list({ agentId: agent.id })).toEqual([withAgent.id]);
      expect(await list({ agentId: agent.id, environmentId: here.id })).toEqual([]);
    });

    it("of environments and agents leave archived ones out, unless they are asked for", async () => {
      const page = { limit: 9, order: "descending" } as const;
      const [kept, archived] = [await bench().environment(), await bench().environment()];
      await bench().do("archiveEnvironment", { environmentId: archived.id });
      const agents = [];
      for (let n = 0; n < 2; n++) agents.push(await bench().do("createAgent", { fields: {}, metadata: {} }));
      await bench().do("archiveAgent", { agentId: agents[1]?.id as string });
      const { store } = bench();
      const ids = ({ data }: Page<Identified>) => data.map((record) => record.id);
      expect(ids(await store.listEnvironments(page, { includeArchived: false }))).toEqual([kept.id]);
      expect(ids(await store.listEnvironments(page, { includeArchived: true }))).toEqual([archived.id, kept.id]);
      expect(ids(await store.listAgents(page, { includeArchived: false }))).toEqual([agents[0]?.id]);
      expect(ids(await store.listAgents(page, { includeArchived: true }))).toHaveLength(2);
    });

    it("of events know the type", async () => {
      const environment = await bench().environment();
      const active = await bench().queued(environment.id);
      await bench().activate(active);
      await bench().send(active.sessionId, agentEvent(), MESSAGE);
      const types = ["agent.message", "session.status_running"];
      const events = await bench().store.listEvents(active.sessionId, { limit: 9, order: "ascending" }, { types });
      expect(events.data.map((event) => event.type)).toEqual(types.toReversed());
    });

    it("of work know every state, also what was delivered or waits for its time, and page by it", async () => {
      const environment = await bench().environment();
      await inEveryState(bench(), (await bench().environment()).id);
      for (let round = 0; round < 2; round++) await inEveryState(bench(), environment.id);
      const all = (await bench().store.listWork(environment.id, { limit: 100, order: "ascending" }, {})).data;
      expect(new Set(all.map(({ state }) => state))).toEqual(new Set(WORK_STATES));
      for (const state of WORK_STATES) {
        const ids = all.filter((item) => item.state === state).map(({ id }) => id);
        const read: Read = (page) => bench().store.listWork(environment.id, page, { state });
        expect((await walk(read, "ascending", true)).flat()).toEqual(ids);
        expect((await walk(read, "ascending", false)).flat()).toEqual(ids);
        expect((await walk(read, "descending", true)).flat()).toEqual(ids.toReversed());
      }
    });

    it.each(Object.keys(LARGE))(
      "of %s end a page early when the rows are large, and say that more is to come",
      async (name) => {
        const { ids, read } = await (LARGE[name] as (typeof LARGE)[string])(bench());
        for (const order of ["ascending", "descending"] as const) {
          const pages = await walk((page) => read({ ...page, limit: 100 }), order, true);
          expect(pages.map((page) => page.length)).toEqual([3, 2]);
          expect(pages.flat()).toEqual(order === "ascending" ? ids : ids.toReversed());
          const backwards = await walk((page) => read({ ...page, limit: 100 }), order, false);
          expect(backwards.map((page) => page.length)).toEqual([2, 3]);
          expect(backwards.flat()).toEqual(pages.flat());
        }
      },
    );

    it("say of no record that more follows when it is the last, however large it is", async () => {
      const environment = await bench().environment();
      const session = await bench().session(environment.id, []);
      const [event] = await bench().send(session.id, agentEvent("x".repeat(PAGE_BYTES + 1)));
      const page = await bench().store.listEvents(session.id, { limit: 100, order: "ascending" }, {});
      expect([page.data.map(({ id }) => id), page.hasMore]).toEqual([[event?.id], false]);
    });

    it("of work stay in one environment, of events in one session", async () => {
      const [here, there] = [await bench().environment(), await bench().environment()];
      const [mine, other] = [await bench().queued(here.id), await bench().queued(there.id)];
      const page = { limit: 9, order: "ascending" } as const;
      expect((await bench().store.listWork(here.id, page, {})).data.map((item) => item.id)).toEqual([mine.id]);
      const { data } = await bench().store.listEvents(other.sessionId, page, {});
      expect(new Set(data.map((event) => event.sessionId))).toEqual(new Set([other.sessionId]));
    });
  });
}
