/**
 * The load generator, a process of its own. It does what the messages of its parent say, one after the other, and
 * answers each with a message.
 */
import { BeatsLoad } from "./beats.mjs";
import { CycleLoad } from "./cycle.mjs";
import { StreamLoad } from "./stream.mjs";
import { WaitersLoad } from "./waiters.mjs";

const KINDS = { beats: BeatsLoad, cycle: CycleLoad, waiters: WaitersLoad, stream: StreamLoad };
const loads = new Map();

const ACTIONS = {
  async open({ name, kind, target, count }) {
    const load = new KINDS[kind](target);
    loads.set(name, load);
    await load.connect(count);
  },
  round: ({ name, options }) => loads.get(name).round(options),
  audit: ({ name }) => loads.get(name).audit(),
  close({ name }) {
    loads.get(name).close();
    loads.delete(name);
  },
};

process.on("message", async ({ action, ...rest }) => {
  const result = await ACTIONS[action](rest);
  process.send({ result });
});
process.on("disconnect", () => process.exit());
