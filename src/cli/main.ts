#!/usr/bin/env node
import { processEnvironment } from "../config/environment.ts";
import { EXIT_CODES, type ExitName } from "./exit-codes.ts";
import { explain } from "./explain.ts";
import { type Io, processIo } from "./io.ts";
import { paint } from "./output/colour.ts";
import { buildProgram, namedCommand } from "./program.ts";
import type { AnyCommand } from "./spec.ts";

async function main(io: Io, words: readonly string[]): Promise<ExitName> {
  let exit: ExitName = "ok";
  const program = buildProgram(io, async (spec, callOf) => {
    try {
      exit = await spec.run(callOf() as never);
    } catch (error) {
      exit = report(io, error, spec);
    }
  });
  if (words.length === 0) {
    program.outputHelp({ error: true });
    return "usage";
  }
  try {
    await program.parseAsync(words, { from: "user" });
  } catch (error) {
    exit = report(io, error, namedCommand(words), words);
  }
  return exit;
}

function report(io: Io, error: unknown, spec: AnyCommand | undefined, words: readonly string[] = []): ExitName {
  const { exit, message, hint, stack } = explain(error, spec, words);
  if (message !== undefined) io.err.write(`${paint(io.err, "red", "error:")} ${message}\n`);
  if (hint !== undefined) io.err.write(`${paint(io.err, "cyan", "hint:")} ${hint}\n`);
  if (stack !== undefined) io.err.write(`${paint(io.err, "dim", stack)}\n`);
  return exit;
}

const exit = await main(processIo(processEnvironment()), process.argv.slice(2));
// Set, not called: what has been written to a pipe has to reach it first.
process.exitCode = EXIT_CODES[exit].code;
