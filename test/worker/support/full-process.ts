/** A process that can open nothing more, and runs a command nevertheless. Tells what comes of it. */
import { openSync } from "node:fs";
import { createTools, type HandlerContext } from "../../../src/worker/index.ts";
import { runTurnCommand } from "../../../src/worker/turn-command.ts";

const { signal } = new AbortController();
const turn = { work: { data: {} }, client: {}, workspace: "/", signal, forced: signal, send: async () => [] };
const tools = createTools({ workspace: "/", signal });
const told = (failure: unknown) => String(failure);

// Whatever Node opens for its first child only, such as what watches over it.
await runTurnCommand(
  turn as unknown as HandlerContext,
  { command: ["true"], env: {} },
  { stdin: "", events: () => [] },
);
try {
  for (;;) openSync("/dev/null", "r");
} catch (failure) {
  console.log(told(failure));
}
const input = { stdin: "hello", events: () => [] };
await runTurnCommand(turn as unknown as HandlerContext, { command: ["true"], env: {} }, input).catch((failure) =>
  console.log(told(failure)),
);
console.log(JSON.stringify(await tools.run("bash", { command: "true" })));
