import { settingsOf } from "../config/resolve.ts";
import { type Setting, settingLabel } from "../config/setting.ts";
import { SETTINGS } from "../config/settings.ts";
import { COMMANDS } from "./commands/index.ts";
import { EXIT_CODES, type ExitName } from "./exit-codes.ts";
import { rolesFor } from "./explain.ts";
import { exitsOf } from "./help.ts";
import type { AnyCommand } from "./spec.ts";
import { TOPICS } from "./topics.ts";

/** The CLI as a page of Markdown. */
export function cliReference(): string {
  const exits = (Object.keys(EXIT_CODES) as ExitName[]).map(
    (name) => `| ${EXIT_CODES[name].code} | \`${name}\` | ${EXIT_CODES[name].meaning} |`,
  );
  return `# Commands

\`capstan <command> --help\` shows the same in the terminal. Results go to standard output, everything about them to standard
error. \`--json\` prints exactly what the API answers; a list is the API's list object. Settings, with their variables and
defaults, are in [settings.md](settings.md).

${COMMANDS.map((spec) => `- [\`capstan ${spec.path}\`](#capstan-${spec.path.replaceAll(" ", "-")}): ${spec.summary}`).join("\n")}

${COMMANDS.map(section).join("\n")}
## Exit codes

| Code | Name | Meaning |
| --- | --- | --- |
${exits.join("\n")}
`;
}

function section(spec: AnyCommand): string {
  const [topic = ""] = spec.path.split(" ");
  const usage = [
    "capstan",
    spec.path,
    "[options]",
    ...Object.values(spec.arguments ?? {}).map((argument) => argument.usage),
  ].join(" ");
  const parts = [
    `## capstan ${spec.path}`,
    `${spec.details ?? `${spec.summary}.`}`,
    `\`\`\`sh\n${usage}\n\`\`\``,
    list([...argumentLines(spec), ...optionLines(spec)]),
    settingsLine(spec),
    spec.calls === undefined
      ? ""
      : `Roles: ${rolesFor(spec).join(", ")}${spec.rolesNote === undefined ? "" : ` (${spec.rolesNote})`}.`,
    `Exit codes: ${exitsOf(spec)
      .map((name) => `${EXIT_CODES[name].code} ${name}`)
      .join(", ")}.`,
    spec.examples.length === 0
      ? ""
      : `\`\`\`sh\n${spec.examples.map(({ command, does }) => `# ${does}\n${command}`).join("\n")}\n\`\`\``,
  ];
  const heading = topic === spec.path || COMMANDS.find((other) => other.path.startsWith(`${topic} `)) !== spec;
  const intro = heading || TOPICS[topic] === undefined ? "" : `${TOPICS[topic]}.\n\n`;
  return `${intro}${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

const list = (lines: readonly string[]): string => lines.map((line) => `- ${line}`).join("\n");

const argumentLines = (spec: AnyCommand): string[] =>
  Object.values(spec.arguments ?? {}).map(({ usage, summary }) => `\`${usage}\`: ${summary}`);

const optionLines = (spec: AnyCommand): string[] =>
  Object.values(spec.options ?? {}).map(({ flags, summary }) => `\`${flags}\`: ${summary}`);

function settingsLine(spec: AnyCommand): string {
  const labels = settingsOf(spec.group).map((name) => `\`${settingLabel(SETTINGS[name] as Setting)}\``);
  return labels.length === 0 ? "" : `Settings: ${labels.join(", ")}.`;
}
