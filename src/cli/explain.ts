import { CommanderError } from "commander";
import { ApiError, ConnectionError } from "../client/index.ts";
import { SettingError } from "../config/setting.ts";
import { OPERATIONS } from "../contract/operations.ts";
import { ID_PREFIXES, type IdKind } from "../core/ids.ts";
import { CommandError, type ExitName, exitOfStatus } from "./exit-codes.ts";
import type { AnyCommand } from "./spec.ts";
import { TOPICS } from "./topics.ts";

/** What a person is told when a command fails. */
export interface Explanation {
  readonly exit: ExitName;
  /** One sentence; `undefined` when everything has been said already. */
  readonly message?: string | undefined;
  readonly hint?: string | undefined;
  /** Only for errors that nobody foresaw. */
  readonly stack?: string | undefined;
}

/** @param words what was typed, for suggestions */
export function explain(error: unknown, spec: AnyCommand | undefined, words: readonly string[] = []): Explanation {
  if (error instanceof CommandError) {
    const hint = error.hint ?? (error.exit === "usage" ? helpOf(spec) : undefined);
    return { exit: error.exit, message: error.message, hint };
  }
  if (error instanceof SettingError) return { exit: "usage", message: error.message, hint: helpOf(spec) };
  if (error instanceof CommanderError) return explainParser(error, spec, words);
  if (error instanceof ApiError)
    return { exit: exitOfStatus(error.status), message: error.message, hint: hintFor(error, spec) };
  if (error instanceof ConnectionError) {
    const hint = "Is `capstan serve` running there? CAPSTAN_URL says where to look; `capstan doctor` looks closer.";
    return { exit: "unreachable", message: error.message, hint };
  }
  const unforeseen = error instanceof Error ? error : new Error(String(error));
  return { exit: "failed", message: unforeseen.message, stack: unforeseen.stack };
}

/** @param topic as {@link topicOf} gives it */
const helpOf = (spec: AnyCommand | undefined, topic = ""): string =>
  spec === undefined
    ? `\`capstan ${topic}--help\` lists the commands.`
    : `\`capstan ${spec.path} --help\` explains it.`;

/** The topic that was typed, with a blank behind it, or nothing. */
const topicOf = ([first = ""]: readonly string[]): string => (Object.hasOwn(TOPICS, first) ? `${first} ` : "");

function explainParser(error: CommanderError, spec: AnyCommand | undefined, words: readonly string[]): Explanation {
  if (error.exitCode === 0) return { exit: "ok" };
  // A topic without a command: its help has been printed, and says more than a sentence could.
  if (error.code === "commander.help") return { exit: "usage" };
  const [sentence = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  const message = `${sentence.charAt(0).toUpperCase()}${sentence.slice(1).replace(/\.$/, "")}.`;
  const meant = suggestion?.match(/Did you mean (.*)\?/)?.[1];
  const topic = topicOf(words);
  if (meant === undefined) return { exit: "usage", message, hint: helpOf(spec, topic) };
  const place = error.code === "commander.unknownCommand" && topic !== "" ? `capstan ${topic}` : "";
  return { exit: "usage", message, hint: `Did you mean \`${place}${meant}\`?` };
}

function hintFor(error: ApiError, spec: AnyCommand | undefined): string | undefined {
  switch (error.status) {
    case 400:
      return whereToLook(error.message) ?? helpOf(spec);
    case 401:
      return "Set CAPSTAN_TOKEN to a valid token; `capstan token create` makes one with an admin token.";
    case 403:
      return whichToken(error.message, rolesFor(spec));
    case 404:
    case 409:
    case 412:
      return whereToLook(error.message);
    case 429:
    case 503:
      return "Try again in a moment.";
    default:
      return `The server's log says more about request ${error.requestId}.`;
  }
}

/** A 403 that is not about the role is about what a worker token is bound to, or what it may send. */
function whichToken(message: string, roles: readonly string[]): string {
  const aboutRole = message.startsWith("This needs a token of role");
  const named = (aboutRole ? rolesNamed(message, roles) : roles.filter((role) => role !== "worker")).join(" or ");
  const bound = !aboutRole && roles.includes("worker") && message.includes("environment");
  const use = bound
    ? `a worker token of the environment that is meant, or one with the role ${named}`
    : `a token with the role ${named}`;
  return `Use ${use}; \`capstan doctor\` shows the role of the one in use.`;
}

/** Of the roles that a command can do with, those that also the call does that was refused: not every use makes each call. */
function rolesNamed(message: string, roles: readonly string[]): readonly string[] {
  const [needed = ""] = message.split(";");
  const enough = roles.filter((role) => needed.includes(role));
  return enough.length === 0 ? roles : enough;
}

/** The roles that a command names itself, or else those with which everything that it calls is allowed. */
export function rolesFor(spec: AnyCommand | undefined): string[] {
  if (spec?.roles !== undefined) return [...spec.roles];
  const calls = (spec?.calls ?? []).map((name) => OPERATIONS[name].roles as readonly string[]);
  return [
    "admin",
    ...["client", "worker"].filter((role) => calls.length > 0 && calls.every((roles) => roles.includes(role))),
  ];
}

const LISTS: Readonly<Partial<Record<IdKind, string>>> = {
  agent: "capstan agent list",
  environment: "capstan env list",
  session: "capstan session list",
  work: "capstan work list",
  token: "capstan token list",
};

function whereToLook(message: string): string | undefined {
  const kinds = Object.keys(LISTS) as IdKind[];
  const named = kinds
    .map((kind) => ({ kind, at: message.indexOf(ID_PREFIXES[kind]) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at)[0];
  if (named === undefined) return undefined;
  const archived = named.kind !== "work" && message.includes("archived") ? " --include-archived" : "";
  return `\`${LISTS[named.kind]}${archived}\` shows what there is.`;
}
