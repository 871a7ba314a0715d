import { choice, someText, wholeNumber } from "../../config/schemas.ts";
import { LIMITS } from "../../contract/limits.ts";
import { WORK_STATES } from "../../core/transitions.ts";
import { statsFields, workFields, workTable } from "../output/views.ts";
import { command } from "../spec.ts";
import {
  CALL_EXITS,
  connectToQueue,
  fetchList,
  idArgument,
  JSON_OPTION,
  listOptions,
  showList,
  showOne,
} from "./shared.ts";

const WORK = { work: idArgument("work", "work", "Its id.") } as const;

export const listWork = command({
  path: "work list",
  summary: "List the items of an environment, oldest first",
  group: "queue",
  calls: ["listWork"],
  options: {
    ...listOptions("work"),
    state: {
      kind: "value",
      flags: "--state <state>",
      summary: `Only items in this state: ${WORK_STATES.join(", ")}.`,
      schema: choice(WORK_STATES),
    },
  },
  examples: [{ command: "capstan work list --state active", does: "What runs now" }],
  exits: CALL_EXITS,
  async run({ settings, options, io }) {
    const { client, environmentId } = await connectToQueue(settings);
    const filter = { environment_id: environmentId, state: options.state };
    const list = await fetchList(options, (page) => client.listWork({ ...page, ...filter }));
    return showList(io, options, list, workTable, "There is no such work item.");
  },
});

export const getWork = command({
  path: "work get",
  summary: "Show one item",
  group: "queue",
  calls: ["getWork"],
  arguments: WORK,
  options: JSON_OPTION,
  examples: [{ command: "capstan work get work_…", does: "Its state and its stamps" }],
  exits: CALL_EXITS,
  async run({ settings, options, arguments: { work }, io }) {
    const { client, environmentId } = await connectToQueue(settings);
    const found = await client.getWork({ environment_id: environmentId, work_id: work });
    return showOne(io, options, found, workFields);
  },
});

export const stopWork = command({
  path: "work stop",
  summary: "Ask an item to stop, or force it",
  details: `Asks the worker to finish and stop; an item that is still queued stops at once. With --force the item stops now and
its worker is told at its next heartbeat.`,
  group: "queue",
  calls: ["stopWork"],
  arguments: WORK,
  options: { ...JSON_OPTION, force: { kind: "switch", flags: "--force", summary: "Do not wait for the worker." } },
  examples: [
    { command: "capstan work stop work_…", does: "Let the worker end it" },
    { command: "capstan work stop work_… --force", does: "End it now" },
  ],
  exits: CALL_EXITS,
  async run({ settings, options, arguments: { work }, io }) {
    const { client, environmentId } = await connectToQueue(settings);
    const before = await client.getWork({ environment_id: environmentId, work_id: work });
    // A second graceful stop is the worker's word that it has stopped, which is not ours to give.
    const asked = before.state === "stopping" && !options.force;
    const stopped = asked
      ? before
      : await client.stopWork({ environment_id: environmentId, work_id: work, force: options.force });
    return showOne(io, options, stopped, workFields);
  },
});

export const releaseWork = command({
  path: "work release",
  summary: "Give a starting or active item back to the queue",
  group: "queue",
  calls: ["releaseWork"],
  arguments: WORK,
  options: {
    ...JSON_OPTION,
    reason: {
      kind: "value",
      flags: "--reason <text>",
      summary: "Why, for whoever looks at it later.",
      schema: someText("a text"),
    },
    delay: {
      kind: "value",
      flags: "--delay-ms <ms>",
      summary: "Hand it out again after this time at the earliest.",
      schema: wholeNumber(0, LIMITS.releaseDelayMs),
    },
  },
  examples: [{ command: "capstan work release work_… --delay-ms 60000", does: "Another worker takes it in a minute" }],
  exits: CALL_EXITS,
  async run({ settings, options, arguments: { work }, io }) {
    const { client, environmentId } = await connectToQueue(settings);
    const released = await client.releaseWork({
      environment_id: environmentId,
      work_id: work,
      reason: options.reason,
      delay_ms: options.delay,
    });
    return showOne(io, options, released, workFields);
  },
});

export const workStats = command({
  path: "work stats",
  summary: "Count what waits and who polls",
  group: "queue",
  calls: ["workStats"],
  options: JSON_OPTION,
  examples: [{ command: "capstan work stats --json", does: "For a dashboard or an autoscaler" }],
  exits: CALL_EXITS,
  async run({ settings, options, io }) {
    const { client, environmentId } = await connectToQueue(settings);
    const stats = await client.workStats({ environment_id: environmentId });
    return showOne(io, options, stats, statsFields);
  },
});
