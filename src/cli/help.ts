import { settingsOf } from "../config/resolve.ts";
import type { Setting } from "../config/setting.ts";
import { SETTINGS } from "../config/settings.ts";
import { EXIT_CODES, type ExitName } from "./exit-codes.ts";
import type { AnyCommand } from "./spec.ts";

/** A setting in one line of help, with everything that decides its value. */
export function settingHelp(setting: Setting): string {
  const byDefault = setting.default === undefined ? "" : `, default ${setting.default}`;
  return `${setting.summary} [${setting.variable}${byDefault}]`;
}

/** How a command may end, in the order of the table. */
export function exitsOf(spec: Pick<AnyCommand, "exits">): ExitName[] {
  const names = new Set<ExitName>(["ok", "failed", "usage", ...(spec.exits ?? [])]);
  return (Object.keys(EXIT_CODES) as ExitName[]).filter((name) => names.has(name));
}

export function commandFooter(spec: AnyCommand): string {
  const secrets = settingsOf(spec.group)
    .map((name): Setting => SETTINGS[name])
    .filter((setting) => setting.flag === undefined)
    .map((setting) => [setting.variable, setting.summary] as const);
  const exits = exitsOf(spec).map((name) => [String(EXIT_CODES[name].code), EXIT_CODES[name].meaning] as const);
  return [section("Variables without a flag", secrets), section("Exit codes", exits), examples(spec)].join("");
}

export function programFooter(): string {
  return `
Start here:
  capstan dev                  a server, an environment and a worker on this machine
  capstan run "Say hello"      one session, followed until it is done
  capstan doctor               what is wrong, and what to do about it

Every command has its own help with examples: capstan session create --help
`;
}

function examples(spec: AnyCommand): string {
  const lines = spec.examples.map(({ command, does }) => `  # ${does}\n  ${command}`);
  return lines.length === 0 ? "" : `\nExamples:\n${lines.join("\n")}\n`;
}

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  if (rows.length === 0) return "";
  const widest = Math.max(...rows.map(([name]) => name.length));
  return `\n${title}:\n${rows.map(([name, text]) => `  ${name.padEnd(widest)}  ${text}`).join("\n")}\n`;
}
