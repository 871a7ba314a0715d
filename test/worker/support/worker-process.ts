/** A worker in a process of its own, for tests that kill, suspend or block it. Tells what happens to it as lines. */
import { createCommandHandler, createWorker, type Handler, textOf } from "../../../src/worker/index.ts";

const [mode = "", baseUrl = "", environmentId = "", workspaceRoot = ""] = process.argv.slice(2);

const reply = (text: string) => ({ type: "agent.message", content: [{ type: "text", text }] });

const flood = createCommandHandler({
  command: ["sh", "-c", "head -c 1000000000 /dev/zero | tr '\\0' x"],
  env: { PATH: process.env.PATH },
});

const HANDLERS: Readonly<Record<string, Handler>> = {
  /** Writes 1 GB in one line, and tells what that took. */
  flood: async (context) => {
    const before = process.memoryUsage().rss;
    await flood(context);
    const grown = process.resourceUsage().maxRSS * 1_024 - before;
    console.log(`memory grew by ${Math.round(grown / 1_048_576)} MB`);
  },
  /** Answers each message and waits for the next one. */
  talk: async ({ input, say }) => {
    for await (const event of input) await say(`You said: ${textOf(event)}`);
  },
  /** Lets errors go astray, and works on. */
  astray: async ({ say, send }) => {
    setTimeout(() => {
      throw new Error("from a timer");
    });
    void Promise.reject(new Error("from a promise"));
    void send([{ type: "agent.message" }]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await say("still here");
  },
  /** Runs until it is aborted, and then tries to write nevertheless. */
  wait: async ({ signal, send }) => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    console.log(`handler aborted: ${signal.reason.reason}`);
    await send([reply("from the past")]).catch((failure) => console.log(`send refused: ${failure.name}`));
  },
  /** Lets nothing else run on its thread for longer than two leases of 10 s. */
  block: async ({ signal, send }) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 21_000);
    await new Promise((resolve) => setImmediate(resolve));
    await send([reply(signal.aborted ? "aborted" : "still mine")]);
  },
};

const worker = createWorker({
  baseUrl,
  token: process.env.TEST_TOKEN ?? "",
  environmentId,
  workspaceRoot,
  workerId: `process-${process.pid}`,
  ttlSeconds: 10,
  handler: (turn) => {
    console.log("handler started");
    return HANDLERS[mode]?.(turn);
  },
  onEvent: (event) => console.log(`${event.type}: ${event.message}`),
});
await worker.run();
