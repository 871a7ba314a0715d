import type { z } from "zod";
import type { Environment } from "./environment.ts";
import { type Setting, SettingError, type SettingGroup, settingLabel } from "./setting.ts";
import { SETTING_NAMES, SETTINGS, type SettingName } from "./settings.ts";

type Table = typeof SETTINGS;
type Value<Name extends SettingName> =
  | z.output<Table[Name]["schema"]>
  | (Table[Name] extends { readonly default: string } ? never : undefined);

/** The values of the settings that a group of commands uses. */
export type SettingsFor<Group extends SettingGroup> = {
  readonly [Name in SettingName as Group extends Table[Name]["groups"][number] ? Name : never]: Value<Name>;
};

/** Where a value came from. */
export type SettingSource = "flag" | "variable" | "default";

export interface Resolved<Group extends SettingGroup> {
  readonly values: SettingsFor<Group>;
  readonly sources: Readonly<Partial<Record<SettingName, SettingSource>>>;
}

/** The settings that a group of commands uses, in the order of the table. */
export const settingsOf = (group: SettingGroup): SettingName[] =>
  SETTING_NAMES.filter((name) => (SETTINGS[name].groups as readonly SettingGroup[]).includes(group));

/**
 * The settings of a group: flags win over variables, variables over defaults. A variable that is set to nothing counts
 * as not set, because that is how compose files and shells spell "none".
 *
 * @throws SettingError on the first value that cannot be used.
 */
export function resolveSettings<Group extends SettingGroup>(
  group: Group,
  flags: Readonly<Record<string, unknown>>,
  environment: Environment,
): Resolved<Group> {
  const values: Record<string, unknown> = {};
  const sources: Partial<Record<SettingName, SettingSource>> = {};
  for (const name of settingsOf(group)) {
    const setting: Setting = SETTINGS[name];
    const flag = setting.flag === undefined ? undefined : flags[name];
    const variable = environment[setting.variable] || undefined;
    const text = typeof flag === "string" ? flag : (variable ?? setting.default);
    if (text === undefined) continue;
    values[name] = readSetting(setting, text);
    sources[name] = typeof flag === "string" ? "flag" : variable === undefined ? "default" : "variable";
  }
  return { values: values as SettingsFor<Group>, sources };
}

function readSetting(setting: Setting, text: string): unknown {
  const read = setting.schema.safeParse(text);
  if (read.success) return read.data;
  const given = setting.secret ? "" : `, not ${JSON.stringify(text)}`;
  throw new SettingError(`${settingLabel(setting)} must be ${setting.schema.description}${given}.`);
}
