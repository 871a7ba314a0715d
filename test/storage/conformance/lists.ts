import { describe, expect, it } from "vitest";
import { PAGE_BYTES, type Page, type PageRequest } from "../../../src/core/page.ts";
import type { StorageHarness } from "./harness.ts";
import { agentEvent, type Bench, MESSAGE, useBench } from "./support.ts";

interface Identified {
  readonly id: string;
}
type Read = (page: PageRequest) => Promise<Page<Identified>>;

const COUNT = 7;

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

async function times(make: (n: number) => Promise<string>): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < COUNT; n++) ids.push(await make(n));
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

    it("of work know the state, of events the type", async () => {
      const environment = await bench().environment();
      const [queued, active] = [await bench().queued(environment.id), await bench().queued(environment.id)];
      await bench().activate(active);
      await bench().send(active.sessionId, agentEvent(), MESSAGE);
      const page = { limit: 9, order: "ascending" } as const;
      const work = await bench().store.listWork(environment.id, page, { state: "queued" });
      expect(work.data.map((item) => item.id)).toEqual([queued.id]);
      const types = ["agent.message", "session.status_running"];
      const events = await bench().store.listEvents(active.sessionId, page, { types });
      expect(events.data.map((event) => event.type)).toEqual(types.toReversed());
    });

    it("of events end a page early when their payloads are large, and say that more is to come", async () => {
      const environment = await bench().environment();
      const session = await bench().session(environment.id, []);
      const sent: string[] = [];
      for (let n = 0; n < 5; n++) {
        const [event] = await bench().send(session.id, agentEvent("x".repeat(PAGE_BYTES / 2)));
        sent.push(event?.id as string);
      }
      const read: Read = (page) => bench().store.listEvents(session.id, { ...page, limit: 100 }, {});
      for (const order of ["ascending", "descending"] as const) {
        const pages = await walk(read, order, true);
        expect(pages.length).toBeGreaterThan(1);
        expect(pages.flat()).toEqual(order === "ascending" ? sent : sent.toReversed());
      }
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
