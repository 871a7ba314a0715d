import { Command, Option } from "commander";
import { resolveSettings, settingsOf } from "../config/resolve.ts";
import type { Setting } from "../config/setting.ts";
import { SETTINGS } from "../config/settings.ts";
import { VERSION } from "../version.ts";
import { COMMANDS } from "./commands/index.ts";
import { CommandError } from "./exit-codes.ts";
import { commandFooter, programFooter, settingHelp } from "./help.ts";
import type { Io } from "./io.ts";
import type { AnyCommand, ArgumentSpec, Call, OptionSpec } from "./spec.ts";
import { TOPICS } from "./topics.ts";

/** Runs a command. What it is run with is asked for inside, so that whoever runs it also hears what is wrong with that. */
export type Execute = (spec: AnyCommand, callOf: () => object) => Promise<void>;

/** The whole CLI as one parser. */
export function buildProgram(io: Io, execute: Execute): Command {
  const program = new Command("capstan");
  program
    .description("The control plane for self-hosted cloud-agent workers.")
    .version(VERSION, "-V, --version", "Print the version.")
    .helpOption("-h, --help", "Print help.")
    .helpCommand(false)
    // What follows the name of a command is that command's to read, also where another one is above it.
    .enablePositionalOptions()
    .configureOutput({ writeOut: io.out.write, writeErr: io.err.write, outputError: () => undefined })
    .configureHelp({ showGlobalOptions: false })
    .exitOverride()
    .addHelpText("after", programFooter());
  const topics = new Map<string, Command>();
  for (const spec of COMMANDS) {
    const [first = "", second] = spec.path.split(" ");
    const parent = second === undefined ? program : topicOf(program, topics, first);
    const parser = addCommand(parent, second ?? first, spec, io, execute);
    if (second === undefined) topics.set(first, parser.helpCommand(false).enablePositionalOptions());
  }
  program
    .command("help")
    .argument("[command...]", "The command, such as session create.")
    .description("Print help of a command")
    .action((words: readonly string[]) => parserAt(program, words).outputHelp());
  return program;
}

function parserAt(program: Command, words: readonly string[]): Command {
  let found = program;
  for (const word of words) {
    const next = found.commands.find((candidate) => candidate.name() === word);
    if (next === undefined) throw new CommandError("usage", `There is no command ${JSON.stringify(words.join(" "))}.`);
    found = next;
  }
  return found;
}

function topicOf(program: Command, topics: Map<string, Command>, name: string): Command {
  const known = topics.get(name);
  if (known !== undefined) return known;
  const topic = program
    .command(name)
    .description(TOPICS[name] ?? "")
    .helpCommand(false);
  topics.set(name, topic);
  return topic;
}

/** Paragraphs as one line each: what is wrapped twice, here and to the width of the terminal, is ragged. */
const unwrapped = (text: string): string => text.replaceAll(/(?<!\n)\n(?!\n)/g, " ");

function addCommand(parent: Command, name: string, spec: AnyCommand, io: Io, execute: Execute): Command {
  const parser = parent
    .command(name)
    .summary(spec.summary)
    .description(unwrapped(spec.details ?? spec.summary))
    .usage(["[options]", ...Object.values(spec.arguments ?? {}).map(({ usage }) => usage)].join(" "));
  for (const argument of Object.values(spec.arguments ?? {})) parser.argument(argument.usage, argument.summary);
  for (const option of Object.values(spec.options ?? {})) parser.addOption(parserOption(option));
  for (const settingName of settingsOf(spec.group)) {
    const setting: Setting = SETTINGS[settingName];
    if (setting.flag === undefined) continue;
    parser.addOption(new Option(`${setting.flag} ${setting.placeholder}`, settingHelp(setting)));
  }
  parser.addHelpText("after", commandFooter(spec));
  parser.action(async (...received: unknown[]) => {
    const given = received.slice(0, Object.keys(spec.arguments ?? {}).length);
    await execute(spec, () => callOf(spec, given, parser.opts(), io));
  });
  return parser;
}

/** The command that words from the command line name, however wrong the rest of them is. */
export const namedCommand = (words: readonly string[]): AnyCommand | undefined =>
  // The last one: a command below another one stands after it.
  COMMANDS.findLast(({ path }) => path.split(" ").every((word, index) => words[index] === word));

function parserOption(spec: OptionSpec): Option {
  if (spec.kind !== "values") return new Option(spec.flags, spec.summary);
  const collect = (text: string, before: readonly string[]) => [...before, text];
  return new Option(spec.flags, spec.summary).default([], "none").argParser(collect);
}

function callOf(spec: AnyCommand, given: readonly unknown[], flags: Record<string, unknown>, io: Io) {
  const { values, sources } = resolveSettings(spec.group, flags, io.environment);
  const options = Object.entries(spec.options ?? {}).map(([key, option]) => [key, readOption(option, flags)] as const);
  const names = Object.entries(spec.arguments ?? {});
  const positional = names.map(([key, argument], index) => [key, readArgument(argument, given[index])] as const);
  return {
    settings: values,
    sources,
    options: Object.fromEntries(options),
    arguments: Object.fromEntries(positional),
    io,
  } satisfies Record<keyof Call<"none">, unknown>;
}

function readOption(spec: OptionSpec, flags: Record<string, unknown>): unknown {
  const given = flags[new Option(spec.flags).attributeName()];
  if (spec.kind === "switch") return given === true;
  const name = spec.flags.split(" ")[0] ?? spec.flags;
  if (spec.kind === "values") return (given as string[]).map((text) => read(name, spec, text));
  const text = (given as string | undefined) ?? spec.default;
  return text === undefined ? undefined : read(name, spec, text);
}

function readArgument(spec: ArgumentSpec, given: unknown): unknown {
  if (given === undefined) return undefined;
  if (Array.isArray(given)) return given.map((text) => read(spec.usage, spec, text));
  return read(spec.usage, spec, String(given));
}

function read(name: string, { schema }: Pick<ArgumentSpec, "schema">, text: string): unknown {
  const result = schema.safeParse(text);
  if (result.success) return result.data;
  throw new CommandError("usage", `${name} must be ${schema.description}, not ${JSON.stringify(text)}.`);
}
