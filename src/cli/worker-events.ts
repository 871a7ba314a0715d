import type { EventLevel, WorkerEvent } from "../worker/index.ts";
import type { Io } from "./io.ts";
import { paint, type Style } from "./output/colour.ts";
import { oneLine } from "./output/printable.ts";

const STYLES: Readonly<Record<EventLevel, Style>> = { debug: "dim", info: "dim", warn: "yellow", error: "red" };

/** What a worker does, one line per event on standard error: for people, or as JSON for programs. */
export function reportWorker(io: Io, json: boolean): (event: WorkerEvent) => void {
  return (event) => {
    if (event.level === "debug") return;
    const time = new Date(io.now()).toISOString();
    const { level, type, message, workId, sessionId, facts } = event;
    if (json) {
      const line = { time, level, type, message, work_id: workId, session_id: sessionId, ...facts };
      io.err.write(`${JSON.stringify(line)}\n`);
    } else {
      const session = sessionId === undefined ? "" : ` (${sessionId})`;
      io.err.write(
        `${time.slice(11, 19)} ${paint(io.err, STYLES[level], level.padEnd(5))} ${oneLine(message)}${session}\n`,
      );
    }
  };
}
