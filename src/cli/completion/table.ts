import { settingsOf } from "../../config/resolve.ts";
import type { Setting } from "../../config/setting.ts";
import { SETTINGS } from "../../config/settings.ts";
import { ID_PREFIXES, type IdKind } from "../../core/ids.ts";
import { COMMANDS } from "../commands/index.ts";
import type { AnyCommand } from "../spec.ts";
import { TOPICS } from "../topics.ts";

/** What stands behind an option or an argument. */
export type Value = "file" | "folder" | "text" | readonly string[] | IdsOf;

/** An id of something on the server, which is asked for those that there are. */
export interface IdsOf {
  readonly idsOf: IdKind;
  /** With which each of them begins. */
  readonly prefix: string;
}

export const isIds = (value: Value): value is IdsOf => typeof value === "object" && "idsOf" in value;

export interface CompletedOption {
  /** With its dashes. */
  readonly flag: string;
  readonly summary: string;
  /** Left out for a switch. */
  readonly value?: Value;
}

/** A word that can follow. */
export interface CompletedWord {
  readonly word: string;
  readonly summary: string;
}

/** What can come after the words that have named a command, or a part of one. */
export interface Place {
  /** The words so far; none at the start. */
  readonly path: readonly string[];
  readonly words: readonly CompletedWord[];
  /** What can follow too, or instead. */
  readonly ids?: IdsOf;
  readonly options: readonly CompletedOption[];
}

const HELP: CompletedOption = { flag: "--help", summary: "Print help." };

/** Every place of the command line, from the table of commands. */
export function places(): Place[] {
  const paths = new Set([""]);
  for (const { path } of COMMANDS) {
    for (const [index] of path.split(" ").entries())
      paths.add(
        path
          .split(" ")
          .slice(0, index + 1)
          .join(" "),
      );
  }
  return [...paths].map((path) => placeAt(path === "" ? [] : path.split(" ")));
}

/** Options by what stands behind them, without the switches. */
export function grouped(options: readonly CompletedOption[]): [Value, string[]][] {
  const groups = new Map<string, [Value, string[]]>();
  for (const { flag, value } of options) {
    if (value === undefined) continue;
    const key = JSON.stringify(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value, [flag]]);
    else group[1].push(flag);
  }
  return [...groups.values()];
}

function placeAt(path: readonly string[]): Place {
  const spec = COMMANDS.find((command) => command.path === path.join(" "));
  const own = path.length === 0 ? [{ flag: "--version", summary: "Print the version." }] : [];
  const ids = idsOf(Object.values(spec?.arguments ?? {})[0]?.schema);
  return {
    path,
    words: [...wordsBelow(path), ...argumentWords(spec)],
    ...(ids === undefined ? {} : { ids }),
    options: [...(spec === undefined ? own : optionsOf(spec)), HELP],
  };
}

function wordsBelow(path: readonly string[]): CompletedWord[] {
  const found = new Map<string, string>();
  for (const command of COMMANDS) {
    const words = command.path.split(" ");
    const word = words[path.length];
    if (word === undefined || path.some((part, index) => words[index] !== part)) continue;
    const isCommand = words.length === path.length + 1;
    if (isCommand || !found.has(word)) found.set(word, isCommand ? command.summary : (TOPICS[word] ?? ""));
  }
  return [...found].map(([word, summary]) => ({ word, summary }));
}

/** Where the first argument is one of a few words. */
function argumentWords(spec: AnyCommand | undefined): CompletedWord[] {
  const [first] = Object.values(spec?.arguments ?? {});
  return choicesOf(first?.schema)?.map((word) => ({ word, summary: first?.summary ?? "" })) ?? [];
}

function optionsOf(spec: AnyCommand): CompletedOption[] {
  const own = Object.values(spec.options ?? {}).map(({ flags, summary, ...option }): CompletedOption => {
    const [flag = "", placeholder = ""] = flags.split(" ");
    return "schema" in option ? { flag, summary, value: valueBehind(placeholder, option.schema) } : { flag, summary };
  });
  const settings = settingsOf(spec.group).flatMap((name): CompletedOption[] => {
    const { flag, placeholder, summary, schema }: Setting = SETTINGS[name];
    return flag === undefined ? [] : [{ flag, summary, value: valueBehind(placeholder, schema) }];
  });
  return [...own, ...settings];
}

function valueBehind(placeholder: string, schema: unknown): Value {
  if (placeholder === "<file>") return "file";
  if (placeholder === "<folder>") return "folder";
  return choicesOf(schema) ?? idsOf(schema) ?? "text";
}

function choicesOf(schema: unknown): readonly string[] | undefined {
  const { choices } = metaOf(schema);
  return Array.isArray(choices) ? choices : undefined;
}

function idsOf(schema: unknown): IdsOf | undefined {
  const { idKind } = metaOf(schema);
  return idKind === undefined ? undefined : { idsOf: idKind, prefix: ID_PREFIXES[idKind] };
}

/** What a schema says of itself besides its description. */
const metaOf = (schema: unknown): { readonly choices?: unknown; readonly idKind?: IdKind } =>
  (schema as { meta?: () => object | undefined } | undefined)?.meta?.() ?? {};
