import { SETTING_GROUPS, type Setting } from "./setting.ts";
import { SETTING_NAMES, SETTINGS } from "./settings.ts";

const GROUP_TITLES: Readonly<Record<string, string>> = {
  serve: "`serve`",
  dev: "`dev`",
  worker: "`worker`",
  attach: "`worker attach`",
  client: "commands that call a server",
  queue: "commands that work in one environment",
  store: "`migrate`, `export` and `import`",
};

/** The settings as a page of Markdown. */
export function settingsReference(): string {
  const rows = SETTING_NAMES.map((name) => row(SETTINGS[name]));
  return `# Settings

A flag wins over its variable, a variable over the default. A variable that is set to nothing counts as not set. A value
that cannot be used ends the command with exit code 2 and a sentence that says what would be right. Tokens have no flag,
because the arguments of a process can be read by every user of its machine. The URLs of databases have one, for those without
a password; put a URL with a password into the variable.

| Flag | Variable | Default | Value | Meaning | Used by |
| --- | --- | --- | --- | --- | --- |
${rows.join("\n")}

Output is coloured only on a terminal, and never when \`NO_COLOR\` is set to anything or \`TERM\` is \`dumb\`.
`;
}

function row(setting: Setting): string {
  const groups = SETTING_GROUPS.filter((group) => setting.groups.includes(group));
  const cells = [
    setting.flag === undefined ? "–" : `\`${setting.flag}\``,
    `\`${setting.variable}\``,
    setting.default === undefined ? "–" : `\`${setting.default}\``,
    setting.schema.description ?? "",
    setting.summary,
    groups.map((group) => GROUP_TITLES[group] ?? group).join(", "),
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
