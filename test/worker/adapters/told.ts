import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { event } from "../../../src/contract/bodies.ts";
import { CLI_ADAPTERS, type CliAdapterName, type NewSessionEvent, textOf } from "../../../src/worker/index.ts";

/** What a CLI's output, in a file beside the tests, is read as. */
export function read(name: CliAdapterName, file: string) {
  const reader = CLI_ADAPTERS[name].reader();
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  const lines = text.trimEnd().split("\n");
  const events = [...lines.flatMap((line) => reader.read(JSON.parse(line))), ...reader.end()];
  for (const one of events) expect(event.safeParse(one).success, JSON.stringify(one)).toBe(true);
  return { conversation: reader.conversation, events, told: events.map(told) };
}

/** An event in one line. */
function told(one: NewSessionEvent): string {
  const { type, name, input, is_error, error, usage } = one as Record<string, unknown>;
  const { message, type: kind } = (error ?? {}) as { message?: string; type?: string };
  const parts = [name, input && JSON.stringify(input), is_error === true && "failed", textOf(one), kind, message];
  return [type, ...parts, usage && JSON.stringify(usage)].filter(Boolean).join(" | ");
}
