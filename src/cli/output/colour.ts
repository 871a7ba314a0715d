import type { Sink } from "../io.ts";

const STYLES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

export type Style = keyof typeof STYLES;

/** The text in a style, where the stream shows styles. */
export function paint(sink: Pick<Sink, "colour">, style: Style, text: string): string {
  if (!sink.colour || text === "") return text;
  const [on, off] = STYLES[style];
  return `\u001b[${on}m${text}\u001b[${off}m`;
}

/** Colours of states and statuses, the same in every table. */
export const STATE_STYLES: Readonly<Record<string, Style>> = {
  queued: "yellow",
  starting: "cyan",
  active: "green",
  stopping: "yellow",
  stopped: "dim",
  idle: "dim",
  running: "green",
  rescheduling: "yellow",
  canceling: "yellow",
  terminated: "dim",
};
