import { fileURLToPath } from "node:url";
import { CORES, endProcess, startNode } from "./process.mjs";

const MAIN = fileURLToPath(new URL("../load/main.mjs", import.meta.url));

/** Starts the load generator. Its `ask` sends one message and resolves with the answer. */
export function startLoad({ core = CORES.load } = {}) {
  const child = startNode(core, [MAIN], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const ask = (message) =>
    new Promise((resolve, reject) => {
      const ended = (code) => reject(new Error(`The load generator ended with code ${code}.`));
      child.once("exit", ended);
      child.once("message", ({ result }) => {
        child.off("exit", ended);
        resolve(result);
      });
      child.send(message);
    });
  return { ask, stop: () => endProcess(child) };
}
