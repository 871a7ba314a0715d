import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, type CapstanClient, type Work, type WorkQueueStats } from "../../client/index.ts";
import { WORK_STATES, type WorkState } from "../../core/transitions.ts";
import type { Io } from "../io.ts";
import { paint, STATE_STYLES } from "../output/colour.ts";
import { LiveBlock } from "../output/live-block.ts";
import { duration, relativeTime } from "../output/time.ts";
import { workTable } from "../output/views.ts";
import { onStopSignals } from "../signals.ts";
import { command } from "../spec.ts";
import { CALL_EXITS, connectToQueue } from "./shared.ts";

const LOOK_EVERY_MS = 1_000;
/** Items of one state that a look takes in; of those that wait, the oldest are the ones that come next. */
const PER_STATE = 100;
/** Rows of the table on a terminal. */
const ROWS = 15;
const LIVE_STATES = WORK_STATES.filter((state) => state !== "stopped");

export const watchWork = command({
  path: "work watch",
  summary: "Watch the queue live: what waits, who works, what ends",
  details: `Watches the items of an environment until Ctrl-C: on a terminal as a table that changes in place, elsewhere as a line for each
change of state; with --json each line is the item as the API has it.`,
  group: "queue",
  calls: ["listWork", "getWork", "workStats"],
  options: {
    json: {
      kind: "switch",
      flags: "--json",
      summary: "Print an item, as JSON on one line, whenever its state changes.",
    },
  },
  examples: [
    { command: "capstan work watch", does: "The queue at a glance" },
    { command: "capstan work watch --json", does: "Every change, for programs" },
  ],
  exits: CALL_EXITS,
  async run({ settings, options, io }) {
    const { client, environmentId } = await connectToQueue(settings);
    const stop = new AbortController();
    const deaf = onStopSignals(() => stop.abort());
    const show = options.json ? jsonLines(io) : io.out.isTerminal ? liveTable(io) : changeLines(io);
    try {
      const known = new Map<string, WorkState>();
      while (!stop.signal.aborted) {
        const look = await lookAt(client, environmentId, known);
        show.look(look);
        await sleep(LOOK_EVERY_MS, undefined, { signal: stop.signal }).catch(() => undefined);
      }
      return "ok";
    } finally {
      deaf();
      show.end();
    }
  },
});

interface Change {
  readonly item: Work;
  readonly from: WorkState | undefined;
}

interface Look {
  readonly stats: WorkQueueStats;
  /** What lives, as far as it was looked at: those that are worked on first. */
  readonly items: readonly Work[];
  readonly changes: readonly Change[];
}

/** @param known states as of the look before; brought up to date */
async function lookAt(client: CapstanClient, environmentId: string, known: Map<string, WorkState>): Promise<Look> {
  const page = { environment_id: environmentId, limit: PER_STATE };
  const [stats, ...lists] = await Promise.all([
    client.workStats({ environment_id: environmentId }),
    ...LIVE_STATES.map((state) => client.listWork({ ...page, state })),
  ]);
  // An item that changed between two of the lists is in both; the later state is the true one.
  const items = [...new Map(lists.flatMap((list) => list.data).map((item) => [item.id, item])).values()];
  const seen = new Set(items.map(({ id }) => id));
  const changes: Change[] = [];
  for (const [id, from] of known) {
    if (seen.has(id)) continue;
    const item = await gone(client, environmentId, id);
    // What lives on beyond the first hundred of its state is told of when it comes into sight again.
    known.delete(id);
    if (item !== undefined && item.state !== from) changes.push({ item, from });
  }
  for (const item of items) {
    const from = known.get(item.id);
    if (from !== item.state) changes.push({ item, from });
    known.set(item.id, item.state);
  }
  return { stats, items: items.toReversed(), changes };
}

/** An item that no list of what lives shows any more; `undefined` when it has been deleted with its environment. */
async function gone(client: CapstanClient, environmentId: string, id: string): Promise<Work | undefined> {
  try {
    return await client.getWork({ environment_id: environmentId, work_id: id });
  } catch (failure) {
    if (failure instanceof ApiError && failure.status === 404) return undefined;
    throw failure;
  }
}

interface Show {
  look(look: Look): void;
  end(): void;
}

const jsonLines = (io: Io): Show => ({
  look: ({ changes }) => {
    for (const { item } of changes) io.out.write(`${JSON.stringify(item)}\n`);
  },
  end: () => {},
});

const changeLines = (io: Io): Show => ({
  look: ({ changes }) => {
    for (const change of changes) io.out.write(changeLine(io, change));
  },
  end: () => {},
});

function changeLine(io: Io, { item, from }: Change): string {
  const time = new Date(io.now()).toTimeString().slice(0, 8);
  const state = (name: WorkState) => paint(io.out, STATE_STYLES[name] ?? "dim", name);
  const change = from === undefined ? state(item.state) : `${state(from)} → ${state(item.state)}`;
  return `${paint(io.out, "dim", time)}  ${item.id}  ${change}  ${item.data.id}\n`;
}

function liveTable(io: Io): Show {
  const block = new LiveBlock(io.out);
  return {
    look: ({ stats, items, changes }) => {
      for (const change of changes) if (change.item.state === "stopped") block.above(changeLine(io, change));
      const oldest = relativeTime(stats.oldest_queued_at, io.now());
      const head = `${stats.depth} wait (oldest ${oldest}), ${stats.workers_polling} workers poll; every ${duration(LOOK_EVERY_MS)}, Ctrl-C ends`;
      const rows = items.length === 0 ? "" : workTable(io, items.slice(0, ROWS));
      const more = items.length > ROWS ? `… and ${items.length - ROWS} more\n` : "";
      block.draw(`${paint(io.out, "dim", head)}\n${rows}${more}`);
    },
    end: () => block.end(),
  };
}
